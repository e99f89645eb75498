"""Bringing a finished result to the place the user named, and never over somebody else's file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facepipe import __version__
from facepipe.engine.artefact import Output
from facepipe.engine.digest import DigestCache
from facepipe.errors import InputError
from facepipe.media.files import check_output, draft_of

SIDECAR_VERSION = 1


def sidecar_of(out: Path) -> Path:
    """Return where the description of a result lies: beside it."""
    return out.with_name(out.name + ".json")


def check_destination(out: Path, digests: DigestCache, *, overwrite: bool) -> None:
    """Raise InputError when `out` is a folder, or a file that facepipe did not write, unless `overwrite`."""
    if out.is_dir():
        raise InputError(f"{out} is a folder, expected the name of a file. Give one with -o.")
    check_output(out)
    if out.exists() and not overwrite and not _is_ours(out, digests):
        raise InputError(
            f"{out} exists and was not written by facepipe. Choose another name with -o, or say --overwrite."
        )


def _is_ours(out: Path, digests: DigestCache) -> bool:
    """Tell whether the file is the one its sidecar speaks of."""
    try:
        described = json.loads(sidecar_of(out).read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(digests.digest(out) == described)


def deliver(result: Output, out: Path, digests: DigestCache, about: Mapping[str, Any]) -> bool:
    """Copy a result to `out` at once, with its sidecar; return False when it already lies there."""
    if out.exists() and digests.digest(out) == result.sha256 and sidecar_of(out).exists():
        return False
    with draft_of(out) as draft:
        shutil.copyfile(result.path, draft)
        _sync(draft)
    text = json.dumps(
        {"version": SIDECAR_VERSION, "facepipe": __version__, "sha256": result.sha256, **about},
        indent=2,
        sort_keys=True,
    )
    with draft_of(sidecar_of(out)) as draft:
        draft.write_text(text + "\n", encoding="utf-8")
    return True


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
