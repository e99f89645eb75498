"""Export of a data set to formats that other training programs read."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from facepipe.dataset.listing import FOLDERS, read_list
from facepipe.dataset.official import Target, export
from facepipe.dataset.shards import planned_shards, write_shard
from facepipe.engine import Job
from facepipe.engine.events import Done, Progress, Result, Start
from facepipe.errors import InputError, ToolError

EXPORT = "export"


def check_package(name: str) -> None:
    """Raise ToolError if the package of an extra is not installed."""
    if find_spec(name) is None:
        raise ToolError(f"this needs the package {name}, which is not installed: pip install 'facepipe[{name}]'")


def export_shards(job: Job, dataset: Path, out: Path, clips: int, *, overwrite: bool) -> list[Path]:
    """Write the shards that are missing or changed; return the paths of all."""
    check_package("webdataset")
    shards = list(planned_shards(read_list(dataset), clips))
    out.mkdir(parents=True, exist_ok=True)
    advance, done = _reported(job, str(out), sum(entry.frames for shard in shards for entry in shard.entries))
    for shard in shards:
        changed = write_shard(dataset, shard, out, job.workspace.digests, overwrite=overwrite)
        advance(sum(entry.frames for entry in shard.entries))
        job.emit(Result(path=str(out / shard.name), changed=changed))
    done()
    return [out / shard.name for shard in shards]


def export_lmdb(job: Job, dataset: Path, out: Path, coefficients: Path | None, *, overwrite: bool) -> list[Path]:
    """Update an LMDB environment in the official layout; return its path."""
    check_package("lmdb")
    entries = read_list(dataset)
    folder = coefficients or dataset / FOLDERS["bfm"][0]
    if not folder.is_dir():
        raise InputError(
            f"{folder} is not a folder; the official layout contains coefficients in the space bfm. Build the set with "
            "--space bfm, or pass a folder of ID.npz or ID.mat with --coefficients"
        )
    sizes = {entry.size_pixels for entry in entries}
    if len(sizes) != 1:
        raise InputError(f"{dataset} holds clips of sizes {sorted(sizes)}, expected one size; build it again")
    target = Target(dataset, out, folder, sizes.pop())
    advance, done = _reported(job, str(target.folder), sum(entry.frames for entry in entries))
    changed = export(target, entries, job.workspace.digests, advance, overwrite=overwrite)
    done()
    job.emit(Result(path=str(target.folder), changed=changed))
    return [target.folder]


def _reported(job: Job, label: str, frames: int) -> tuple[Callable[[int], None], Callable[[], None]]:
    """Report an export like a stage; return a function that counts frames and one that ends the report."""
    started, so_far = time.monotonic(), 0
    job.emit(Start(stage=EXPORT, label=f"{EXPORT} {label}", reason="requested", fingerprint=None, frames=frames))

    def advance(count: int) -> None:
        nonlocal so_far
        so_far += count
        job.emit(Progress(stage=EXPORT, label=f"{EXPORT} {label}", frames_done=so_far, frames=frames))

    def done() -> None:
        seconds = round(time.monotonic() - started, 3)
        name = f"{EXPORT} {label}"
        job.emit(Done(stage=EXPORT, label=name, fingerprint=None, seconds=seconds, frames_done=so_far, folder=label))

    return advance, done
