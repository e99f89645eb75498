"""Real reenactments by one worker and by two."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from facepipe import weights
from facepipe.bench.clip import prepare_material, synthetic_motion
from facepipe.bench.figure import Bar, Figure, rate
from facepipe.bench.program import run_program
from facepipe.engine import Job, Workspace
from facepipe.engine.ledger import LedgerReader
from facepipe.engine.places import Places
from facepipe.errors import FacepipeError
from facepipe.face.coefficients import save_coefficients
from facepipe.face.model import load_face_model
from facepipe.pipeline.options import Options
from facepipe.pipeline.reenact import prepare, reenact

FRAMES, SIZE_PIXELS = 125, 512
TWO_AGAINST_ONE = 1.6


def measure_scaling(folder: Path, count: int) -> Iterator[Figure]:
    """Yield the rate of so many reenactments of 5 s, each with a driver of its own, by one worker and by two.

    One worker by itself has the other cores too: ffmpeg decodes and encodes beside it. What a worker of many does is
    told by one that is kept on a single core with all its children.
    """
    shutil.rmtree(folder, ignore_errors=True)
    portrait = prepare_material(folder, None).portrait
    # One worker alone draws with the network on all cores: what two gain beyond that would say nothing of batches.
    (folder / "facepipe.toml").write_text('[render]\nrenderer = "mesh"\n', encoding="utf-8")
    _make_drivers(folder, portrait, count)
    rates = {}
    for name, workers, cores in (("1 worker on one core", 1, 1), ("1 worker", 1, None), ("2 workers", 2, None)):
        with _kept_on(cores):
            rates[name], memory = _measured(folder, portrait, count, workers, name)
        yield rates[name]
        yield memory
    one, two = rates["1 worker"].median, rates["2 workers"].median
    yield Figure("two workers against one", "times", (two / one,), Bar(TWO_AGAINST_ONE, "at least"))
    yield Figure("two workers against one on one core", "times", (two / rates["1 worker on one core"].median,))


def _measured(folder: Path, portrait: Path, count: int, workers: int, name: str) -> tuple[Figure, Figure]:
    work = folder / "work"
    words = ["batch", str(portrait), str(folder / "drivers"), "--pair", "product", "--jobs", str(workers)]
    words += ["--work", str(work), "--out", str(folder / "out" / "{driving}.mp4"), "--quiet"]
    run = run_program(words, folder=folder)
    if (made := _rendered(work)) != count:
        raise FacepipeError(f"{made} of {count} reenactments were rendered as they were measured; the figure is void")
    shutil.rmtree(work)
    shutil.rmtree(folder / "out")
    return (
        rate(f"{count} reenactments of 5 s, {name}", FRAMES * count, [run.spent]),
        Figure("  its memory", "GB", (run.peak_bytes / 1e9,)),
    )


def _rendered(work: Path) -> int:
    """Return how many segments were made, and not found made."""
    entries = (said for _, said, _ in LedgerReader(Places(work).journal).news())
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
            reenact(job, prepare(job, portrait, motion, clip, Options(size_pixels=SIZE_PIXELS)))
    shutil.rmtree(folder / "making")
