"""Advice on inputs that are no file: addresses, patterns, paths of other systems, folders of pictures, streams."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

# Path joins the slashes of an address to one, and a list of jobs puts its folder before it.
_ADDRESS = re.compile(r"(?:^|/)([A-Za-z][A-Za-z0-9+.-]+):/+([^/].*)")
_DRIVE = re.compile(r"(?:^|/)[A-Za-z]:[\\/]")
_PATTERN = re.compile(r"%0?\d*d|[*?]|\[[^]]*\]")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_STREAMS = (Path("/dev"), Path("/dev/fd"), Path("/proc/self/fd"))
STREAM = "is a stream, but an input is read more than once; save it to a file first"


def is_stream(path: Path) -> bool:
    """Return whether a path names a stream of this process, also if a file is behind it."""
    return path.parent in _STREAMS


def on_missing(path: Path) -> str:
    """Return the message, with the name, for a path at which there is no file."""
    text = str(path)
    if text == "-":
        return f"{path}: {STREAM}"
    if address := _ADDRESS.search(text):
        return _on_address(address[1], address[2])
    if "~" in path.parts:
        home = Path(*path.parts[path.parts.index("~") :]).expanduser()
        return f"{path}: no such file; the shell does not expand a ~ in quotes or in a list, so write {home}"
    if os.sep == "/" and _DRIVE.search(text):
        return f"{path}: no such file; it is a path of Windows, so give the path of the file on this system"
    if os.sep == "/" and "\\" in text:
        return f"{path}: no such file; folders are separated by / here, so write {text.replace(chr(92), '/')}"
    if _PATTERN.search(path.name):
        return f"{path}: no such file; it is a pattern of names, but an input is one file{_as_video(path)}"
    return f"{path}: no such file; check the name"


def _on_address(scheme: str, rest: str) -> str:
    if scheme.lower() == "file":
        return f"{scheme}:///{rest}: is an address; give the path of the file, /{unquote(rest)}"
    address = f"{scheme}://{rest}"
    return f"{address}: is an address, and facepipe fetches nothing; download the file and give its path"


def on_folder(path: Path) -> str:
    """Return the message for a folder in place of a file."""
    try:
        first = min((one for one in path.iterdir() if one.suffix.lower() in _PICTURES), default=None)
    except OSError:
        first = None
    return "is a folder; give a file" + (_as_video(path / f"*{first.suffix}") if first else "")


def _as_video(pattern: Path) -> str:
    """Return how pictures with names of a pattern become a video; empty for other files."""
    if pattern.suffix.lower() not in _PICTURES:
        return ""
    kind = "" if "%" in pattern.name else "-pattern_type glob "
    return f"; to make a video of pictures: ffmpeg -framerate 25 {kind}-i '{pattern}' -crf 10 video.mp4"
