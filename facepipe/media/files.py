"""Files on disk: detection of their kind, checks before reading and writing, and atomic publishing."""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from facepipe.engine.draft import is_running, this_host
from facepipe.errors import DiskError, InputError
from facepipe.media.advice import STREAM, is_stream, on_folder, on_missing
from facepipe.media.sequence import is_animated

DISK_IS_FULL = "the disk is full; free some space, or choose another place with -o, or --work for work files"
MediaKind = Literal["video", "image", "sound", "playlist", "unknown"]

_HEAD_BYTES = 65536
_SOUND_BRANDS = (b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B ")
_IMAGE_HEADS = (b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*", b"P5", b"P6")
_VIDEO_HEADS = (b"\x1aE\xdf\xa3", b"FLV", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"0&\xb2u\x8ef\xcf\x11", b"DKIF")
_SOUND_HEADS = (b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"\xff\xf9")
_OTHER_HEADS = {
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript document",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x7fELF": "a program",
    b"8BPS": "a Photoshop document",
    b"\x93NUMPY": "a NumPy array",
    b"MATLAB 5.0 MAT-file": "a MATLAB file",
    b"\x89HDF": "an HDF5 file",
    b"\xff\x0a": "a JPEG XL file",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL file",
    b"\x00\x00\x00\x0cjP  ": "a JPEG 2000 file",
    **{bytes((0x80, protocol)): "a Python pickle" for protocol in range(2, 6)},
}
_DRAFT = re.compile(r"\.(?P<host>[\w-]+)-(?P<pid>\d+)-[0-9a-f]{8}\.partial")
_PLAYLIST_HEADS = (b"#EXTM3U", b"ffconcat", b"[playlist]", b"<?xml", b"<MPD", b"<smil", b"v=0\r\n", b"v=0\n")


def check_input(path: Path) -> None:
    """Raise InputError unless `path` is a regular, readable, non-empty file."""
    if "\0" in str(path):
        raise InputError(f"{str(path)!r}: contains a NUL character, which no file name does; remove it")
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path}: {on_folder(path)}")
        if not stat.S_ISREG(mode):
            raise InputError(f"{path}: is not a regular file but a pipe, socket or device; save it to a file first")
        if is_stream(path):
            raise InputError(f"{path}: {STREAM}")
        with path.open("rb") as file:
            empty = not file.read(1)
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            raise InputError(f"{path}: broken link to {path.readlink()}, no such file; check the name") from error
        raise InputError(on_missing(path)) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); {_remedy(error)}") from error
    if empty:
        raise InputError(f"{path}: is empty (0 bytes); copy or download it again")


def _remedy(error: OSError) -> str:
    closed = error.errno in (errno.EACCES, errno.EPERM)
    return "change its permissions, or those of a folder above it" if closed else "check its name and its disk"


def kind_of(path: Path) -> MediaKind:
    """Return the kind of a file, determined from its first bytes and never from its name.

    An animated GIF, WebP, PNG or AVIF is a video, and so is an mp4 that contains only sound. Raises InputError if the
    file cannot be read.
    """
    check_input(path)
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    animated = is_animated(path)
    return _kind_of_head(head) if animated is None else "video" if animated else "image"


def description_of(path: Path) -> str:
    """Return a description of a file of unknown kind for an error message, such as "a PDF document"."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if b"<svg" in head:
        return "an SVG drawing"
    known = next((text for start, text in _OTHER_HEADS.items() if head.startswith(start)), None)
    if known is not None:
        return known
    # The head may end within a character.
    text = head.decode("utf-8", "replace").rstrip("\ufffd")
    readable = all(char.isprintable() or char in "\t\r\n" for char in text) and "\ufffd" not in text
    return "text" if readable else "of unknown kind"


def is_animation(path: Path) -> bool:
    """Return True for an animated GIF, WebP, PNG or AVIF, which Pillow reads instead of ffmpeg."""
    return is_animated(path) is True


def _kind_of_head(head: bytes) -> MediaKind:
    if head[4:8] == b"ftyp":
        return "sound" if head[8:12] in _SOUND_BRANDS else "video"
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "video"
    if head.startswith(b"RIFF"):
        return "video" if head[8:12] == b"AVI " else "sound" if head[8:12] == b"WAVE" else "unknown"
    if head.startswith(b"OggS"):
        return "video" if b"theora" in head[:256] else "sound"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_PLAYLIST_HEADS):
        return "playlist"
    for kind, heads in _KINDS:
        if head.startswith(heads):
            return kind
    transport_stream = head[:1] == b"G" and head[188:189] == b"G" and head[376:377] == b"G"
    return "video" if transport_stream else "unknown"


_KINDS: tuple[tuple[MediaKind, tuple[bytes, ...]], ...] = (
    ("image", _IMAGE_HEADS),
    ("video", _VIDEO_HEADS),
    ("sound", _SOUND_HEADS),
)


def draft_name(path: Path) -> Path:
    """Return a unique path beside `path` for an unfinished file. Its name contains host and pid."""
    # The suffix of a very long name may be too long itself.
    suffix = path.suffix if len(path.suffix) <= 8 else ""
    return path.with_name(f".{this_host()}-{os.getpid()}-{os.urandom(4).hex()}.partial{suffix}")


def sweep_drafts(folder: Path) -> None:
    """Remove the partial files that killed processes of this host left in a folder."""
    for path in folder.glob(".*.partial*"):
        draft = _DRAFT.match(path.name)
        if draft is not None and draft["host"] == this_host() and not is_running(int(draft["pid"])):
            with suppress(OSError):
                path.unlink()


def publish(draft: Path, path: Path) -> None:
    """Flush a finished draft to the disk (fsync), then rename it to its final name."""
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    draft.replace(path)


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """Yield the path of a draft beside `path`; rename it to `path` at the end, or remove it after an error.

    Raises DiskError if it cannot be written.
    """
    check_output(path)
    draft = draft_name(path)
    try:
        yield draft
        publish(draft, path)
    except OSError as error:
        raise write_failure(path, error) from error
    finally:
        draft.unlink(missing_ok=True)


def write_failure(path: Path, error: OSError) -> DiskError:
    """Return the DiskError for a file that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskError(f"{path}: {DISK_IS_FULL}")
    reason = error.strerror or error
    return DiskError(f"{path}: cannot be written ({reason}); choose another place with -o, or --work for work files")


def check_output(path: Path, *, makes_folder: bool = False) -> None:
    """Raise DiskError unless a file can be created at `path`, after `make_parent(path)` with `makes_folder`."""
    if "\0" in str(path):
        raise DiskError(f"{str(path)!r}: contains a NUL character, which no file name does; remove it", permanent=True)
    try:
        if path.is_dir():
            raise DiskError(f"{path}: is a folder; give the name of a file with -o")
        if path.exists() and not path.is_file():
            raise DiskError(f"{path}: is not a regular file but a pipe, socket or device; give another name with -o")
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # for example a name that is too long
        raise DiskError(f"{path}: is not a valid file name ({error.strerror}); choose another with -o") from error
    folder = path.parent
    if makes_folder:
        folder = next((one for one in (folder, *folder.parents) if one.exists()), folder)
        if not folder.is_dir():
            raise DiskError(f"{path}: {folder} is a file, not a folder; choose another name with -o")
    if not folder.is_dir():
        raise DiskError(f"{path}: the folder {folder} does not exist; create it, or choose another name with -o")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DiskError(f"{path}: its folder is read-only; choose another with -o")


def make_parent(path: Path) -> None:
    """Make the folder of a file that the user named. Raises DiskError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        files = (FileExistsError, NotADirectoryError)
        reason = "a file lies where a folder is needed" if isinstance(error, files) else error.strerror
        raise DiskError(f"{path.parent}: cannot create the folder ({reason}); choose another path with -o") from error
