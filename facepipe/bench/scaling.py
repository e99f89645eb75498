"""Real reenactments by one worker and by two."""

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
    """Workers of one run."""

    name: str
    renderer: str
    workers: int
    threads: int | None = None
    """Of each worker; None for as many as the cores allow."""
    cores: int | None = None
    """On how many all of them are kept with their children; None for all."""


# A worker of the compact renderer has a thread, as in a batch with a worker a core. With more, one worker by itself
# draws on all cores, and two of them could not gain much: that is told beside it, as is the renderer that draws on one
# thread and leaves much of its work to ffmpeg, which has the other cores.
CREWS = (
    Crew("compact, 1 worker of one thread", "compact", 1, threads=1),
    Crew("compact, 2 workers of one thread", "compact", 2, threads=1),
    Crew("compact, 1 worker of all cores", "compact", 1),
    Crew("mesh, 1 worker", "mesh", 1),
    Crew("mesh, 2 workers", "mesh", 2),
    Crew("mesh, 1 worker on one core", "mesh", 1, cores=1),
)
PAIRS = ((1, 0, True), (1, 2, False), (4, 3, True), (4, 5, False))
"""Two crews whose rates are compared, and whether their ratio has a threshold."""


def measure_scaling(folder: Path, count: int) -> Iterator[Metric]:
    """Yield the rate of so many reenactments of 5 s, each with a driver of its own, by crews of one and two workers."""
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
    for more, less, held in PAIRS:
        name = f"{CREWS[more].name} against {CREWS[less].name.removeprefix(CREWS[more].renderer + ', ')}"
        yield Metric(
            name, "times", (rates[more] / rates[less],), Threshold(TWO_AGAINST_ONE, "at least") if held else None
        )


def _measured(folder: Path, portrait: Path, count: int, crew: Crew) -> tuple[Metric, Metric]:
    work = folder / "work"
    words = ["batch", str(portrait), str(folder / "drivers"), "--pair", "product", "--jobs", str(crew.workers)]
    words += ["--work", str(work), "--out", str(folder / "out" / "{driving}.mp4")]
    words += ["--set", f"renderer={crew.renderer}", "--quiet"]
    threads = {"OMP_NUM_THREADS": str(crew.threads * crew.workers)} if crew.threads else {}
    run = run_program(words, folder=folder, environment=threads)
    if (made := _rendered(work)) != count:
        raise FacepipeError(f"{made} of {count} reenactments were rendered as they were measured; the metric is void")
    shutil.rmtree(work)
    shutil.rmtree(folder / "out")
    return (
        rate(f"{count} reenactments of 5 s, {crew.name}", FRAMES * count, [run.spent]),
        Metric("  its memory", "GB", (run.peak_bytes / 1e9,)),
    )


def _rendered(work: Path) -> int:
    """Return how many segments were made, and not found made."""
    entries = (said for _, said, _ in ItemLogReader(BatchPaths(work).journal).news())
    return sum(said["stages"]["render"][0] for said in entries if said.get("state") == "done")


@contextmanager
def _kept_on(cores: int | None) -> Iterator[None]:
    """Keep this process, and what it starts, on so few cores for a while, where the platform can."""
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
    """Make clips of 5 s in which the head turns differently far, so that each is tracked and drawn by itself."""
    whole = synthetic_motion(load_face_model(weights.find("face-model").path)).rows(0, FRAMES)
    motion, drivers = folder / "short.npz", folder / "drivers"
    drivers.mkdir()
    with Job(Workspace(folder / "making"), {"command": "bench"}) as job:
        for number in range(count):
            save_coefficients(replace(whole, angles=whole.angles * (1 - number / (2 * count))), motion)
            clip = drivers / f"driver{number:03}.mp4"
            reenact(job, prepare(job, portrait, motion, clip, Options(renderer="mesh", size_pixels=SIZE_PIXELS)))
    shutil.rmtree(folder / "making")
