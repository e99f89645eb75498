"""The whole job: cold, warm, by stage, a second run, and its memory."""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from facepipe.bench.clip import Material
from facepipe.bench.metric import Metric, Threshold, Timing, duration, rate, time_call
from facepipe.bench.parts import StageFolders
from facepipe.bench.program import Run, run_program
from facepipe.engine import Job, Workspace
from facepipe.engine.events import Done, Event
from facepipe.pipeline.reenact import prepare, reenact
from facepipe.pipeline.rendering import options_for
from facepipe.renderers import RENDERERS

SIZE_PIXELS = 256
CROP, GROWTH = Threshold(80, "at least"), Threshold(1.1, "at most")
HELP, SECOND = Threshold(0.3, "at most"), Threshold(1.5, "at most")


def speed_threshold(renderer: str) -> Threshold | None:
    """Return the threshold for the speed of the whole job, in frames per second."""
    speed = RENDERERS[renderer].min_frames_per_second
    return Threshold(speed, "at least") if speed else None


def memory_threshold(renderer: str) -> Threshold | None:
    """Return the threshold for the peak memory of the whole job, in gigabytes."""
    memory = RENDERERS[renderer].max_memory_gigabytes
    return Threshold(memory, "at most") if memory else None


@dataclass
class StageTimings:
    """Collects the time and folder of every finished stage of a job."""

    timings: dict[str, list[Timing]] = field(default_factory=lambda: defaultdict(list))
    folders: dict[str, Path] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Receive an event of a job."""
        if isinstance(event, Done):
            self.timings[event.label].append(Timing(event.seconds, 0.0))
            self.folders[event.label] = Path(event.folder)

    def seconds(self, prefix: str) -> float:
        """Return the total time of the stages whose label has the prefix."""
        return sum(one.seconds for label, rows in self.timings.items() if label.startswith(prefix) for one in rows)


def measure_programs(material: Material, folder: Path, renderer: str, *, repeats: int) -> tuple[list[Metric], Run]:
    """Return the metrics of new processes: help, cold runs and second runs; and the last cold run."""
    helps = [run_program(["--help"], folder=folder) for _ in range(max(3, repeats))]
    cold = [_cold(material, folder, renderer) for _ in range(repeats)]
    second = [run_program(_args(material, renderer), folder=folder) for _ in range(max(3, repeats))]
    return [
        duration("facepipe --help", [run.timing for run in helps], HELP),
        rate("reenact, cold", material.frames, [run.timing for run in cold]),
        duration("reenact, second run", [run.timing for run in second], SECOND),
        Metric("peak memory", "GB", tuple(run.peak_bytes / 1e9 for run in cold), memory_threshold(renderer)),
    ], cold[-1]


def measure_long(material: Material, folder: Path, renderer: str, short: Run) -> list[Metric]:
    """Return speed and memory of one cold run with the clip repeated ten times."""
    run = _cold(material, folder, renderer)
    return [
        rate("reenact, cold, 10 times the clip", material.frames, [run.timing]),
        Metric("peak memory, 10 times the clip", "GB", (run.peak_bytes / 1e9,), memory_threshold(renderer)),
        Metric("  over that of the clip", "ratio", (run.peak_bytes / max(1, short.peak_bytes),), GROWTH),
    ]


def _args(material: Material, renderer: str) -> list[str]:
    out = ["--size", str(SIZE_PIXELS), "--renderer", renderer, "-o", "cold/out.mp4", "--work", "cold/work", "--quiet"]
    return ["reenact", str(material.portrait.absolute()), str(material.clip.absolute()), *out]


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def _cold(material: Material, folder: Path, renderer: str) -> Run:
    _empty(folder / "cold")
    return run_program(_args(material, renderer), folder=folder)


def measure_warm(material: Material, folder: Path, renderer: str, *, repeats: int) -> tuple[list[Metric], StageFolders]:
    """Return the metrics of the job in this process, after a warm-up run; and the folders of its stages."""
    whole, runs = [], []
    for _ in range(repeats + 1):
        _empty(folder / "warm")
        stages = StageTimings()
        whole.append(time_call(lambda: _reenact(material, folder / "warm", renderer, stages)))  # noqa: B023 - called at once
        runs.append(stages)
    frames, runs = material.frames, runs[1:]

    def by_stage(name: str, prefix: str, threshold: Threshold | None = None) -> Metric:
        return Metric(name, "frames/s", tuple(frames / run.seconds(prefix) for run in runs), threshold)

    metrics = [
        rate("reenact, warm", frames, whole[1:], speed_threshold(renderer)),
        by_stage("  crop of the driver", "crop driver", CROP),
        by_stage("  coefficients of the driver", "fit driver"),
        by_stage("  motion", "motion"),
        by_stage("  render and encode", "render"),
        Metric("  mux", "s", tuple(run.seconds("mux") for run in runs)),
        Metric("  crop and coefficients of the source", "s", tuple(_source_seconds(run) for run in runs)),
    ]
    folders = runs[-1].folders
    if once := [label for label in ("matte source", "prepare source") if label in folders]:
        seconds = tuple(sum(run.seconds(label) for label in once) for run in runs)
        metrics.append(Metric(f"  {' and '.join(label.split()[0] for label in once)} of the source", "s", seconds))
    motions = tuple(folders[label] for label in sorted(folders, key=_number) if label.startswith("motion"))
    return metrics, StageFolders(
        folders["crop source"],
        folders["fit source"],
        folders["crop driver"],
        motions,
        folders.get("prepare source"),
        folders.get("matte source"),
    )


def _source_seconds(run: StageTimings) -> float:
    return run.seconds("crop source") + run.seconds("fit source")


def _number(label: str) -> int:
    return int("0" + label.rpartition(" ")[2]) if label[-1:].isdigit() else 0


def _reenact(material: Material, folder: Path, renderer: str, stages: StageTimings) -> None:
    options = options_for(renderer, size_pixels=SIZE_PIXELS)
    with Job(Workspace(folder / "work"), {"command": "bench"}, events=stages.take) as job:
        prepared = prepare(job, material.portrait, material.clip, folder / "out.mp4", options)
        reenact(job, prepared)
