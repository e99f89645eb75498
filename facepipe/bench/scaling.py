"""Throughput of batches of real reenactments with one worker and with two."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from facepipe import weights
from facepipe.bench.clip import prepare_material, synthetic_motion
from facepipe.bench.metric import Metric, Threshold, rate
from facepipe.bench.program import run_program
from facepipe.engine import Job, Workspace
from facepipe.engine.batch_paths import BatchPaths
from facepipe.engine.item_log import ItemLogReader
from facepipe.errors import FacepipeError
from facepipe.face.model import load_face_model
from facepipe.pipeline.options import Options
from facepipe.pipeline.reenact import prepare, reenact
from facepipe.spaces.files import save_coefficients

FRAMES, SIZE_PIXELS = 125, 512
TWO_AGAINST_ONE = 1.6


@dataclass(frozen=True)
class Crew:
    """Workers of a run."""

    name: str
    renderer: str
    workers: int
    threads: int | None = None
    """Threads of each worker; None for the default, which depends on the number of cores."""
    cores: int | None = None
    """Number of cores that all workers and their children are bound to; None for all."""


# Workers of the compact renderer get one thread each, as in a batch with one worker per core. A single worker with more
# threads already uses all cores, so a second one gains little; it is measured for comparison. So is the mesh renderer,
# which renders on one thread and leaves much of the work to ffmpeg on the other cores.
CREWS = (
    Crew("compact, 1 worker of one thread", "compact", 1, threads=1),
    Crew("compact, 2 workers of one thread", "compact", 2, threads=1),
    Crew("compact, 1 worker of all cores", "compact", 1),
    Crew("mesh, 1 worker", "mesh", 1),
    Crew("mesh, 2 workers", "mesh", 2),
    Crew("mesh, 1 worker on one core", "mesh", 1, cores=1),
)
PAIRS = ((1, 0, True), (1, 2, False), (4, 3, True), (4, 5, False))
"""Indices of two crews whose rates are compared, first over second, and whether the threshold applies."""


def measure_scaling(folder: Path, count: int) -> Iterator[Metric]:
    """Yield the rate of `count` reenactments of 5 s, each with its own driver, by crews of one and two workers."""
    shutil.rmtree(folder, ignore_errors=True)
    portrait = prepare_material(folder, None).portrait
    _make_drivers(folder, portrait, count)
    rates = []
    for crew in CREWS:
        with _kept_on(crew.cores):
            found, memory = _measured(folder, portrait, count, crew)
        rates.append(found.median)
        yield found
        yield memory
    for more, less, barred in PAIRS:
        name = f"{CREWS[more].name} against {CREWS[less].name.removeprefix(CREWS[more].renderer + ', ')}"
        yield Metric(
            name, "times", (rates[more] / rates[less],), Threshold(TWO_AGAINST_ONE, "at least") if barred else None
        )


def _measured(folder: Path, portrait: Path, count: int, crew: Crew) -> tuple[Metric, Metric]:
    work = folder / "work"
    args = ["batch", str(portrait), str(folder / "drivers"), "--pair", "product", "--jobs", str(crew.workers)]
    args += ["--work", str(work), "--out", str(folder / "out" / "{driving}.mp4")]
    args += ["--set", f"renderer={crew.renderer}", "--quiet"]
    threads = {"OMP_NUM_THREADS": str(crew.threads * crew.workers)} if crew.threads else {}
    run = run_program(args, folder=folder, environment=threads)
    if (rendered := _rendered(work)) != count:
        raise FacepipeError(f"{rendered} of {count} reenactments were rendered in the benchmark; the metric is invalid")
    shutil.rmtree(work)
    shutil.rmtree(folder / "out")
    return (
        rate(f"{count} reenactments of 5 s, {crew.name}", FRAMES * count, [run.timing]),
        Metric("  its memory", "GB", (run.peak_bytes / 1e9,)),
    )


def _rendered(work: Path) -> int:
    """Return the number of segments that were rendered, not reused."""
    entries = (entry for _, entry, _ in ItemLogReader(BatchPaths(work).journal).news())
    return sum(entry["stages"]["render"][0] for entry in entries if entry.get("state") == "done")


@contextmanager
def _kept_on(cores: int | None) -> Iterator[None]:
    """Bind this process and its children to a number of cores in the context, if the platform supports it."""
    if cores is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _make_drivers(folder: Path, portrait: Path, count: int) -> None:
    """Render clips of 5 s with different head rotations, so that no stage's result is shared."""
    whole = synthetic_motion(load_face_model(weights.find("face-model").path)).rows(0, FRAMES)
    motion, drivers = folder / "short.npz", folder / "drivers"
    drivers.mkdir()
    with Job(Workspace(folder / "making"), {"command": "bench"}) as job:
        for number in range(count):
            save_coefficients(replace(whole, angles=whole.angles * (1 - number / (2 * count))), motion)
            clip = drivers / f"driver{number:03}.mp4"
            reenact(job, prepare(job, portrait, motion, clip, Options(renderer="mesh", size_pixels=SIZE_PIXELS)))
    shutil.rmtree(folder / "making")
