"""The folder of an avatar: written completely or not at all, and replaced only if facepipe wrote it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facepipe.engine.disk import disk_errors, remove_folder
from facepipe.engine.draft import draft_beside, open_draft, sweep
from facepipe.errors import DiskError, InputError
from facepipe.export.models import FILES

FORMAT, VERSION = "facepipe-avatar", 1
ABOUT, README, SAMPLER, TEXTURE = "avatar.json", "README.md", "sample.py", "texture.png"
NAMES = frozenset([*FILES.values(), ABOUT, README, SAMPLER, TEXTURE])


def digest(content: bytes) -> str:
    """Return the sha256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def check_folder(out: Path, *, overwrite: bool) -> None:
    """Raise InputError or DiskError unless the folder can be written.

    A folder with other files is never replaced; one with files of these names that facepipe did not write, or that were
    changed since, only with `overwrite`.
    """
    if "\0" in str(out):
        raise DiskError(f"{str(out)!r}: contains a NUL character, which no file name does; remove it", permanent=True)
    parent = next((one for one in out.absolute().parents if one.exists()), out.absolute().parent)
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise DiskError(f"{out}: {parent} is not a folder that can be written; choose another place with -o")
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise InputError(f"{out}: is a file or a link, expected a folder; choose another name with -o")
    if not out.is_dir():
        return
    found = {path.name for path in out.iterdir()}
    if others := sorted(found - NAMES):
        raise InputError(
            f"{out}: contains other files ({', '.join(others[:3])}), and the whole folder would be replaced; choose "
            "another folder with -o"
        )
    if found and not overwrite and not _is_ours(out, found):
        raise InputError(
            f"{out}: exists and was not written by facepipe, or was changed since; choose another folder with -o, or "
            "use --overwrite"
        )


def _is_ours(out: Path, found: set[str]) -> bool:
    """Return whether the files have the digests that the description of the avatar states."""
    try:
        about = json.loads((out / ABOUT).read_text("utf-8"))
        known = dict(about["files"])
        same = all(digest((out / name).read_bytes()) == known[name] for name in found - {ABOUT})
        return bool(about["format"] == FORMAT and same)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def write_folder(out: Path, files: Mapping[str, bytes], about: Mapping[str, Any], *, overwrite: bool) -> bool:
    """Write files and their description, and return whether anything changed.

    The old folder is moved away, the new one gets its name, and then the old one is removed.
    """
    content = dict(files)
    stated = {**about, "files": {name: digest(data) for name, data in sorted(files.items())}}
    content[ABOUT] = (json.dumps(stated, indent=1, ensure_ascii=False) + "\n").encode()
    check_folder(out, overwrite=overwrite)
    if out.is_dir() and _content(out) == content:
        return False
    with open_draft(out) as draft, disk_errors(out):
        sweep(out.parent)
        for name, data in content.items():
            with (draft / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        old = draft_beside(out)
        if out.is_dir():
            out.rename(old)
        draft.rename(out)
        if old.is_dir():
            remove_folder(old)
    return True


def _content(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}
