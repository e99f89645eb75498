"""Giving disk space back: drafts of dead processes, results that no job uses any more, or everything."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from facepipe.engine.disk import disk_errors, remove_folder
from facepipe.engine.draft import drafts_in, is_dead
from facepipe.engine.job import JOBS
from facepipe.engine.lock import FolderLock
from facepipe.engine.status import artefact_folders, job_files, referenced_fingerprints, stage_folders
from facepipe.engine.store import find_artefact, stage_shards
from facepipe.engine.workspace import DIGESTS
from facepipe.errors import BusyError, RecordError


@dataclass(frozen=True)
class Cleaned:
    """What was removed, or would be in a dry run."""

    paths: tuple[Path, ...]
    bytes: int


def clean(root: Path, *, unreferenced: bool = False, everything: bool = False, dry_run: bool = False) -> Cleaned:
    """Remove from a work folder what is of no use.

    That is always the drafts of dead processes and results that this program cannot read (damaged, or written by
    another version); with `unreferenced` also the results that no job used when it last ran; with `everything` all
    results and memories. Only names that the engine gives are touched, whatever else lies in the folder. Raises
    BusyError while a job runs there; DiskError if the disk refuses.
    """
    if not root.is_dir():
        return Cleaned((), 0)
    lock = _exclusive(root)
    try:
        folders = _useless(root, unreferenced, everything)
        files = [root / DIGESTS, *job_files(root), root / "CACHEDIR.TAG"] if everything else []
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
        raise BusyError(f"a job is running in {str(root)!r}; clean when it has ended") from None


def _useless(root: Path, unreferenced: bool, everything: bool) -> list[Path]:
    wanted = referenced_fingerprints(root)
    useless = []
    for stage_folder in stage_folders(root):
        for shard in stage_shards(stage_folder):
            useless += [draft for draft in drafts_in(shard) if is_dead(draft)]
        for folder in artefact_folders(stage_folder):
            if everything or (unreferenced and folder.name not in wanted) or not _is_readable(folder):
                useless.append(folder)
    return useless


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
    for folder in (*shards, *{shard.parent for shard in shards}, root / JOBS, (root / DIGESTS).parent):
        with suppress(OSError):  # not empty: somebody else's, or in use
            folder.rmdir()


def _size_bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    with suppress(OSError):
        return sum(file.lstat().st_size for file in files if file.is_file())
    return 0
