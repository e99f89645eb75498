"""What a work folder holds, read from the folder alone."""

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
"""So much of a fingerprint the records of a batch hold: there are a million of them."""


@dataclass
class StageStatus:
    """The results of one stage."""

    stage: str
    artefacts: int = 0
    bytes: int = 0
    seconds: float = 0.0
    """What making them took in all."""
    unreferenced: int = 0
    """How many no job would use today; `clean` may have them."""
    damaged: int = 0
    foreign: int = 0
    """Written by another version of the program."""
    running: int = 0
    """Drafts of live processes, or of processes that cannot be asked."""
    broken_off: int = 0
    """Drafts of dead processes."""


@dataclass(frozen=True)
class Status:
    """The content of a work folder."""

    root: Path
    jobs: int
    stages: tuple[StageStatus, ...]


def read_status(root: Path) -> Status:
    """Return what a work folder holds, also while jobs run in it; a missing folder holds nothing."""
    wanted = referenced_fingerprints(root)
    stages = tuple(_stage_status(folder, wanted) for folder in stage_folders(root))
    return Status(root, len(job_files(root)), stages)


def stage_folders(root: Path) -> list[Path]:
    """Return the folders of a work folder that look like those of stages."""
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    return [folder for folder in folders if any(stage_shards(folder))]


def artefact_folders(stage_folder: Path) -> Iterator[Path]:
    """Yield the published folders of a stage."""
    for shard in stage_shards(stage_folder):
        yield from sorted(shard.glob(FINGERPRINT))


def job_files(root: Path) -> list[Path]:
    """Return the memories of the jobs that ran in a work folder."""
    return sorted((root / JOBS).glob("*.jsonl"))


def batch_uses(root: Path) -> Iterator[list[str]]:
    """Yield what each done item of the batches of a work folder stands on, as the first digits of fingerprints."""
    latest: dict[str, tuple[int, str]] = {}  # as texts, for there may be a million
    for key, value, _ in ItemLogReader(BatchPaths(root).journal).news():
        if isinstance(value, dict) and value.get("state") == DONE and value["number"] >= latest.get(key, (0, ""))[0]:
            latest[key] = (value["number"], " ".join(value.get("uses", ())))
    for _, uses in latest.values():
        yield uses.split()


def is_referenced(fingerprint: str, wanted: Collection[str]) -> bool:
    """Tell whether a result is among those that `referenced_fingerprints` returned."""
    return fingerprint in wanted or fingerprint[:USED_DIGITS] in wanted


def referenced_fingerprints(root: Path, *, batches: bool = True) -> frozenset[str]:
    """Return the fingerprints that jobs used the last time each ran, and, in their first digits, those of batches."""
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
            status.broken_off += dead
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
