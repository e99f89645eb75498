"""Delivery of results to the paths that the user named, without replacing files that facepipe did not write."""

from __future__ import annotations

import glob
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from facepipe import __version__
from facepipe.engine import Job
from facepipe.engine.artefact import Artefact, Output
from facepipe.engine.difference import changes, summary
from facepipe.engine.digest import DigestCache
from facepipe.engine.events import Result
from facepipe.engine.remark import Remark, remark_facts, remarks_in
from facepipe.errors import InputError, UsageError
from facepipe.media.files import check_output, draft_of, make_parent, sweep_drafts
from facepipe.pipeline.items import without_suffix

FORMAT, VERSION = "facepipe-result", 1


def sidecar_of(out: Path) -> Path:
    """Return the path of the sidecar of a result: NAME.json beside it."""
    return out.with_name(out.name + ".json")


def check_destination(
    out: Path, digests: DigestCache | None, *, overwrite: bool, described_by: Path | None = None
) -> None:
    """Raise InputError if `out` is a folder or, without `overwrite`, a file of somebody else or of another result.

    `described_by` is the sidecar that lists `out`, if it is not the one beside it. Without `digests` a file that the
    sidecar lists is not read, and so not checked for changes.
    """
    sidecar = described_by or sidecar_of(out)
    for path in (out, sidecar):
        check_output(path, makes_folder=True)
    if overwrite:
        return
    for path in (out, sidecar):
        if path.exists() and not _is_ours(path, sidecar, digests):
            owner = _owner_of(path, sidecar)
            raise InputError(
                f"{path}: belongs to the result {owner}; choose another name or another folder, or use --overwrite"
                if owner
                else f"{path}: exists and was not written by facepipe, or was changed since; choose another name, "
                "or use --overwrite"
            )


def check_apart(outs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise UsageError if a result would replace an input."""
    inputs = list(inputs)
    for out in outs:
        for path in (out, sidecar_of(out)):
            if any(_is_same(path, other) for other in inputs):
                raise UsageError(
                    f"the result {path} would replace the input of the same name; choose another name with -o"
                )


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except (OSError, ValueError):  # one of them does not exist, is not accessible, or contains a NUL
        return False


def _is_ours(path: Path, sidecar: Path, digests: DigestCache | None) -> bool:
    """Return whether the file has the digest that its sidecar states, or is a sidecar of facepipe itself."""
    known = _listed(path, sidecar)
    if known is None:
        return False
    try:
        return path == sidecar or (bool(known) if digests is None else digests.digest(path) in known)
    except OSError:
        return False


def _listed(path: Path, sidecar: Path) -> set[str] | None:
    """Return the digests that a sidecar states for a file; None if it is not a sidecar of facepipe."""
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            return None
        name = _relative(path, sidecar)
        return {str(files[name]) for files in (content["files"], content.get("replaces", {})) if name in files}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _owner_of(path: Path, sidecar: Path) -> str:
    """Return the path of another result that has `path` among its files; empty if there is none."""
    base = glob.escape(without_suffix(path).name)
    others = (other for other in path.parent.glob(f"{base}.*.json") if other not in (sidecar, path))
    return next((str(other).removesuffix(".json") for other in others if _listed(path, other)), "")


def _relative(path: Path, sidecar: Path) -> str:
    return Path(os.path.relpath(path.absolute(), sidecar.parent.absolute())).as_posix()


def deliver(job: Job, results: Mapping[Path, Output], about: Mapping[str, Any], *, overwrite: bool) -> None:
    """Copy results to their paths, each atomically, with a sidecar beside the first, and emit an event for each.

    The places are checked again as by `check_destination`, while no other process of a batch delivers to them, because
    another item may have been delivered there since. A remark says which result of other settings was replaced. Raises
    InputError.
    """
    sidecar = sidecar_of(next(iter(results)))
    with job.hold_places([*results, sidecar]):
        for path in results:
            make_parent(path)
            check_destination(path, job.workspace.digests, overwrite=overwrite, described_by=sidecar)
        _deliver(job, results, about, sidecar)


def _deliver(job: Job, results: Mapping[Path, Output], about: Mapping[str, Any], sidecar: Path) -> None:
    digests = job.workspace.digests
    files = {_relative(path, sidecar): output.sha256 for path, output in results.items()}
    content = {"format": FORMAT, "version": VERSION, "facepipe": __version__, "files": files, **about}
    content["remarks"] = _remarks(about)
    if invocation := content.pop("command", None):
        content["command"] = invocation.as_json(sidecar.parent)
    changed = [path for path, output in results.items() if not path.exists() or digests.digest(path) != output.sha256]
    old = {_relative(path, sidecar): digests.digest(path) for path in changed if path.exists()}
    replaced = _replaced(next(iter(results)), sidecar, content) if old else None
    for folder in {path.parent for path in results}:
        sweep_drafts(folder)
    # Written first, with the digests of the old files: if the program is killed, the next run recognises all files.
    _write(sidecar, {**content, "replaces": old} if old else content)
    with ExitStack() as drafts:  # all files or none, if the disk is full
        for path in changed:
            shutil.copyfile(results[path].path, drafts.enter_context(draft_of(path)))
    if old:
        _write(sidecar, content)
    if replaced:
        job.remark(replaced)
    for path in results:
        job.emit(Result(path=str(path), changed=path in changed))


def _replaced(path: Path, sidecar: Path, content: Mapping[str, Any]) -> Remark:
    """Return the remark that a result is replaced, with the difference between it and the new one."""
    try:
        known = json.loads(sidecar.read_text(encoding="utf-8"))
        differing = changes(_told(known), _told(content)) if known["format"] == FORMAT else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        differing = []
    why = f" ({summary(differing)})" if differing else ""
    return Remark("replaced", f"{path} was replaced{why}; -o gives a result another name")


def _told(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a user may have changed between two results: inputs, options and versions."""
    inputs = {role: entry.get("path", "array") for role, entry in content.get("inputs", {}).items()}
    return {**{name: content.get(name) for name in ("facepipe", "weights", "options")}, "inputs": inputs}


def _remarks(about: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the remarks of a sidecar: its own and those of its stages, each once."""
    found = [
        one for facts in (about, *(stage["facts"] for stage in about.get("stages", ()))) for one in remarks_in(facts)
    ]
    return remark_facts(dict.fromkeys(found))


def _write(sidecar: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=2, sort_keys=True, default=str) + "\n"
    if sidecar.exists() and sidecar.read_text(encoding="utf-8") == text:
        return
    with draft_of(sidecar) as draft:
        draft.write_text(text, encoding="utf-8")


def described(made: Artefact) -> dict[str, Any]:
    """Return the entry of one stage in a sidecar."""
    identity = made.record.identity
    return {
        "stage": identity.stage,
        "version": identity.version,
        "fingerprint": made.folder.name,
        "params": dict(identity.params),
        "inputs": dict(identity.inputs),
        "weights": dict(identity.weights),
        "facts": dict(made.facts),
        "versions": dict(made.record.versions),
        "seconds": round(made.record.seconds, 3),
    }
