"""Bringing finished results to the place the user named, and never over somebody else's file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from facepipe import __version__
from facepipe.engine.artefact import Artefact, Output
from facepipe.engine.digest import DigestCache
from facepipe.errors import DiskError, InputError, UsageError
from facepipe.media.files import check_output, draft_of, sweep_drafts

FORMAT, VERSION = "facepipe-result", 1


def sidecar_of(out: Path) -> Path:
    """Return where the description of a result lies: beside it."""
    return out.with_name(out.name + ".json")


def check_destination(out: Path, digests: DigestCache, *, overwrite: bool, described_by: Path | None = None) -> None:
    """Raise InputError when `out` is a folder, or a file that facepipe did not write, unless `overwrite`.

    `described_by` is the sidecar that would name `out`, where that is not the one beside it.
    """
    sidecar = described_by or sidecar_of(out)
    for path in (out, sidecar):
        check_output(path)
    if overwrite:
        return
    for path in (out, sidecar):
        if path.exists() and not _is_ours(path, sidecar, digests):
            raise InputError(
                f"{path}: exists and was not written by facepipe, or was changed since; choose another name, "
                "or say --overwrite"
            )


def check_apart(outs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise UsageError when a result would take the place of an input."""
    inputs = list(inputs)
    for out in outs:
        for path in (out, sidecar_of(out)):
            if any(_is_same(path, other) for other in inputs):
                raise UsageError(f"the result {path} would replace the input of that name; choose another with -o")


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them does not exist, or cannot be looked at
        return False


def _is_ours(path: Path, sidecar: Path, digests: DigestCache) -> bool:
    """Tell whether the file is as its sidecar says, or is a sidecar."""
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            return False
        name = _relative(path, sidecar)
        known = {content["files"].get(name), content.get("replaces", {}).get(name)}
        return path == sidecar or digests.digest(path) in known
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _relative(path: Path, sidecar: Path) -> str:
    return Path(os.path.relpath(path.absolute(), sidecar.parent.absolute())).as_posix()


def deliver(results: Mapping[Path, Output], digests: DigestCache, about: Mapping[str, Any]) -> bool:
    """Copy results to their places, each at once, with one sidecar beside the first; return False if all lay there."""
    sidecar = sidecar_of(next(iter(results)))
    files = {_relative(path, sidecar): output.sha256 for path, output in results.items()}
    content = {"format": FORMAT, "version": VERSION, "facepipe": __version__, "files": files, **about}
    changed = [path for path, output in results.items() if not path.exists() or digests.digest(path) != output.sha256]
    old = {_relative(path, sidecar): digests.digest(path) for path in changed if path.exists()}
    for folder in {path.parent for path in results}:
        sweep_drafts(folder)
    # First, and with what is about to go: killed at any moment, the next run knows the files for its own.
    _write(sidecar, {**content, "replaces": old} if old else content)
    for path in changed:
        with draft_of(path) as draft:
            shutil.copyfile(results[path].path, draft)
    if old:
        _write(sidecar, content)
    return bool(changed)


def _write(sidecar: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=2, sort_keys=True, default=str) + "\n"
    if sidecar.exists() and sidecar.read_text(encoding="utf-8") == text:
        return
    with draft_of(sidecar) as draft:
        draft.write_text(text, encoding="utf-8")


def described(made: Artefact) -> dict[str, Any]:
    """Return what a sidecar says of one stage."""
    identity = made.record.identity
    return {
        "stage": identity.stage,
        "version": identity.version,
        "fingerprint": made.folder.name,
        "params": dict(identity.params),
        "inputs": dict(identity.inputs),
        "weights": dict(identity.weights),
        "facts": dict(made.facts),
        "seconds": round(made.record.seconds, 3),
    }


def make_parent(out: Path) -> None:
    """Make the folder of a result. Raises DiskError."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskError(f"{out.parent}: cannot be made ({error.strerror}); choose another place with -o") from error
