"""Real reenactments by one worker and by two."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from facepipe import weights
from facepipe.bench.clip import prepare_material, synthetic_motion
from facepipe.bench.figure import Bar, Figure, rate
from facepipe.bench.program import run_program
from facepipe.engine import Job, Workspace
from facepipe.face.coefficients import save_coefficients
from facepipe.face.model import load_face_model
from facepipe.pipeline.options import Options
from facepipe.pipeline.reenact import prepare, reenact

FRAMES, SIZE_PIXELS = 125, 512
TWO_AGAINST_ONE = 1.6


def measure_scaling(folder: Path, count: int) -> Iterator[Figure]:
    """Yield the rate of so many reenactments of 5 s, each with a driver of its own, by one worker and by two."""
    shutil.rmtree(folder, ignore_errors=True)
    material = prepare_material(folder, None)
    drivers = _drivers(folder, material.portrait, count)
    rates = []
    for workers in (1, 2):
        work = folder / f"work-{workers}"
        words = ["batch", str(material.portrait), str(drivers), "--pair", "product", "--jobs", str(workers)]
        words += ["--work", str(work), "--out", f"out-{workers}/{{driving}}.mp4", "--quiet"]
        run = run_program(words, folder=folder)
        rates.append(rate(f"{count} reenactments of 5 s, {workers} workers", FRAMES * count, [run.spent]))
        yield rates[-1]
        yield Figure("  its memory", "GB", (run.peak_bytes / 1e9,))
        shutil.rmtree(work)
    ratio = rates[1].median / rates[0].median
    yield Figure("two workers against one", "times", (ratio,), Bar(TWO_AGAINST_ONE, "at least"))


def _drivers(folder: Path, portrait: Path, count: int) -> Path:
    """Make a clip of 5 s, and so many copies of it whose bytes differ, so that each is tracked by itself."""
    motion, clip, drivers = folder / "short.npz", folder / "short.mp4", folder / "drivers"
    save_coefficients(synthetic_motion(load_face_model(weights.find("face-model").path)).rows(0, FRAMES), motion)
    with Job(Workspace(folder / "making"), {"command": "bench"}) as job:
        reenact(job, prepare(job, portrait, motion, clip, Options(size_pixels=SIZE_PIXELS)))
    drivers.mkdir()
    for number in range(count):
        # An empty box at the end, which players pass over.
        box = (12).to_bytes(4, "big") + b"free" + number.to_bytes(4, "big")
        (drivers / f"driver{number:03}.mp4").write_bytes(clip.read_bytes() + box)
    return drivers
