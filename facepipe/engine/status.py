"""The content of a work folder, determined from the folder alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from facepipe.engine.batch_paths import BatchPaths
from facepipe.engine.draft import drafts_in, is_dead
from facepipe.engine.fingerprint import Identity
from facepipe.engine.item_log import DONE, ItemLogReader
from facepipe.engine.job import JOBS
from facepipe.engine.journal import JsonlJournal
from facepipe.engine.store import FINGERPRINT, find_artefact, stage_shards
from facepipe.errors import RecordError

USED_DIGITS = 12
"""Batch journals store fingerprints shortened to this length, as there may be a million of them."""


@dataclass
class StageStatus:
    """The results of one stage."""

    stage: str
    artefacts: int = 0
    bytes: int = 0
    seconds: float = 0.0
    """Total time that making them took."""
    unreferenced: int = 0
    """Results that no job used in its last run; `clean` can remove them."""
    damaged: int = 0
    foreign: int = 0
    """Written by another version of the program."""
    running: int = 0
    """Drafts of live processes, and of processes that cannot be checked."""
    interrupted: int = 0
    """Drafts of dead processes."""


@dataclass(frozen=True)
class Status:
    """The content of a work folder."""

    root: Path
    jobs: int
    stages: tuple[StageStatus, ...]


def read_status(root: Path) -> Status:
    """Return the content of a work folder. Jobs may run in it meanwhile; a missing folder counts as empty."""
    wanted = referenced_fingerprints(root)
    stages = tuple(_stage_status(folder, wanted) for folder in stage_folders(root))
    return Status(root, len(job_files(root)), stages)


def stage_folders(root: Path) -> list[Path]:
    """Return the folders in a work folder that have the layout of a stage's folder."""
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    return [folder for folder in folders if any(stage_shards(folder))]


def artefact_folders(stage_folder: Path) -> Iterator[Path]:
    """Yield the folders of a stage's published results."""
    for shard in stage_shards(stage_folder):
        yield from sorted(shard.glob(FINGERPRINT))


def job_files(root: Path) -> list[Path]:
    """Return the memory files of the jobs that ran in a work folder."""
    return sorted((root / JOBS).glob("*.jsonl"))


def batch_uses(root: Path) -> Iterator[list[str]]:
    """Yield, for each finished batch item, the results it uses as fingerprints shortened to USED_DIGITS."""
    latest: dict[str, tuple[int, str]] = {}  # joined to one string each to save memory: there may be a million
    for key, value, _ in ItemLogReader(BatchPaths(root).journal).news():
        if isinstance(value, dict) and value.get("state") == DONE and value["number"] >= latest.get(key, (0, ""))[0]:
            latest[key] = (value["number"], " ".join(value.get("uses", ())))
    for _, uses in latest.values():
        yield uses.split()


def is_referenced(fingerprint: str, wanted: Collection[str]) -> bool:
    """Return True if a result is among those returned by `referenced_fingerprints`."""
    return fingerprint in wanted or fingerprint[:USED_DIGITS] in wanted


def referenced_fingerprints(root: Path, *, batches: bool = True) -> frozenset[str]:
    """Return the fingerprints used by the last run of each job, and the shortened ones used by batches."""
    fingerprints = {one for uses in batch_uses(root) for one in uses} if batches else set()
    for path in job_files(root):
        for content in JsonlJournal[dict[str, object] | None](path).values.values():  # type: ignore[type-var]
            try:
                fingerprints.add(Identity.from_json(content or {}).fingerprint)
            except (KeyError, TypeError):
                continue
    return frozenset(fingerprints)


def _stage_status(folder: Path, wanted: frozenset[str]) -> StageStatus:
    status = StageStatus(folder.name)
    for shard in stage_shards(folder):
        for draft in drafts_in(shard):
            dead = is_dead(draft)
            status.interrupted += dead
            status.running += not dead
    for artefact_folder in artefact_folders(folder):
        _count(status, artefact_folder, wanted)
    return status


def _count(status: StageStatus, folder: Path, wanted: frozenset[str]) -> None:
    try:
        artefact = find_artefact(folder)
    except RecordError:
        status.foreign += 1
        return
    if artefact is None:
        status.damaged += 1
        return
    status.artefacts += 1
    status.bytes += sum(output.bytes for output in artefact.record.outputs.values())
    status.seconds += artefact.record.seconds
    status.unreferenced += not is_referenced(folder.name, wanted)
