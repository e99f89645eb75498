"""Removal of work files: drafts of dead processes, results that no job uses, or everything."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from facepipe.engine.batch_paths import BatchPaths
from facepipe.engine.claim import Claims
from facepipe.engine.disk import disk_errors, remove_folder
from facepipe.engine.draft import drafts_in, is_dead
from facepipe.engine.job import JOBS
from facepipe.engine.lock import FolderLock
from facepipe.engine.run_files import dead_run_files
from facepipe.engine.status import artefact_folders, is_referenced, job_files, referenced_fingerprints, stage_folders
from facepipe.engine.store import find_artefact, stage_shards
from facepipe.engine.workspace import ARRAYS, DIGESTS
from facepipe.errors import BusyError, RecordError


@dataclass(frozen=True)
class Cleaned:
    """The paths removed, or that a dry run would remove, and their total size in bytes."""

    paths: tuple[Path, ...]
    bytes: int


def clean(
    root: Path,
    *,
    unreferenced: bool = False,
    older_than_seconds: float | None = None,
    everything: bool = False,
    dry_run: bool = False,
) -> Cleaned:
    """Remove useless files from a work folder.

    Always removed are drafts, claims and run files of dead processes, and results that this program cannot read
    (damaged, or written by another version). `unreferenced` adds the results that no job and no finished batch item
    used in its last run, `older_than_seconds` the results made before that time, `everything` all results and job
    memories. Only names that the engine creates are touched; other files in the folder stay. Raises BusyError while a
    job runs in the folder, on this machine or another, and DiskError if a file cannot be removed.
    """
    if not root.is_dir():
        return Cleaned((), 0)
    lock = _exclusive(root)
    try:
        claims = _dead_claims(root)
        folders = _useless(root, unreferenced, everything, older_than_seconds)
        files = [root / DIGESTS, *job_files(root), root / "CACHEDIR.TAG"] if everything else []
        files += sorted((root / ARRAYS).glob("*.png")) if everything else []
        folders += [BatchPaths(root).folder] if everything and BatchPaths(root).folder.is_dir() else []
        files += [] if everything else [*claims, *dead_run_files(BatchPaths(root), unknown=True)]
        files = [path for path in files if path.exists()]
        cleaned = Cleaned((*folders, *files), sum(map(_size_bytes, (*folders, *files))))
        if not dry_run:
            for folder in folders:
                remove_folder(folder)
            _remove_files(root, files)
    finally:
        lock.release()
    return cleaned


def _exclusive(root: Path) -> FolderLock:
    try:
        return FolderLock(root)
    except BlockingIOError:
        raise BusyError(f"a job is running in {str(root)!r}; run clean when it has ended") from None


def _dead_claims(root: Path) -> list[Path]:
    """Return the claim files of dead processes. Raises BusyError if a claim may belong to a live one."""
    claims = Claims(BatchPaths(root).claims)
    dead = []
    for name in claims.names():
        if claims.judge(name) not in ("free", "dead"):
            holder = (claims.holder(name) or "?").split(".")[0]
            raise BusyError(
                f"{str(root)!r} is in use: a process on {holder} holds a claim; run clean when it has ended. If that "
                "machine is gone for good, run the batch once more: it takes the claim over"
            )
        dead.append(claims.path(name))
    return dead


def _useless(root: Path, unreferenced: bool, everything: bool, older_than_seconds: float | None) -> list[Path]:
    oldest = -math.inf if older_than_seconds is None else time.time() - older_than_seconds
    wanted = referenced_fingerprints(root)
    useless = []
    for stage_folder in stage_folders(root):
        for shard in stage_shards(stage_folder):
            useless += [draft for draft in drafts_in(shard) if is_dead(draft)]
        for folder in artefact_folders(stage_folder):
            loose = unreferenced and not is_referenced(folder.name, wanted)
            if everything or loose or _made(folder) < oldest or not _is_readable(folder):
                useless.append(folder)
    return useless


def _made(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return math.inf


def _is_readable(folder: Path) -> bool:
    try:
        return find_artefact(folder) is not None
    except RecordError:
        return False


def _remove_files(root: Path, files: list[Path]) -> None:
    with disk_errors(root):
        for path in files:
            path.unlink(missing_ok=True)
    shards = [shard for stage_folder in stage_folders(root) for shard in stage_shards(stage_folder)]
    for folder in (*shards, *{shard.parent for shard in shards}, root / JOBS, (root / DIGESTS).parent, root / ARRAYS):
        with suppress(OSError):  # not empty: holds files of others, or is in use
            folder.rmdir()


def _size_bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    with suppress(OSError):
        return sum(file.lstat().st_size for file in files if file.is_file())
    return 0
