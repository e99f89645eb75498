"""The main job from end to end, as its user meets it: cold, warm, by stages, a second time, and its memory."""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from facepipe.bench.clip import Material
from facepipe.bench.metric import Metric, Spent, Threshold, duration, rate, spent_by
from facepipe.bench.parts import Made
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
    """Return the frames a second that the whole job is held to."""
    speed = RENDERERS[renderer].min_frames_per_second
    return Threshold(speed, "at least") if speed else None


def memory_threshold(renderer: str) -> Threshold | None:
    """Return the gigabytes that the whole job is held to."""
    memory = RENDERERS[renderer].max_memory_gigabytes
    return Threshold(memory, "at most") if memory else None


@dataclass
class Stages:
    """Collects what the stages of a job say when they are done."""

    spent: dict[str, list[Spent]] = field(default_factory=lambda: defaultdict(list))
    folders: dict[str, Path] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Be the sink of a job's events."""
        if isinstance(event, Done):
            self.spent[event.label].append(Spent(event.seconds, 0.0))
            self.folders[event.label] = Path(event.folder)

    def seconds(self, start: str) -> float:
        """Return what the stages whose label starts so took together."""
        return sum(one.seconds for label, rows in self.spent.items() if label.startswith(start) for one in rows)


def measure_programs(material: Material, folder: Path, renderer: str, *, repeats: int) -> tuple[list[Metric], Run]:
    """Return the metrics of fresh processes: help, cold runs, second runs; and the last cold run."""
    helped = [run_program(["--help"], folder=folder) for _ in range(max(3, repeats))]
    cold = [_cold(material, folder, renderer) for _ in range(repeats)]
    again = [run_program(_words(material, renderer), folder=folder) for _ in range(max(3, repeats))]
    return [
        duration("facepipe --help", [run.spent for run in helped], HELP),
        rate("reenact, cold", material.frames, [run.spent for run in cold]),
        duration("a second time", [run.spent for run in again], SECOND),
        Metric("peak memory", "GB", tuple(run.peak_bytes / 1e9 for run in cold), memory_threshold(renderer)),
    ], cold[-1]


def measure_long(material: Material, folder: Path, renderer: str, short: Run) -> list[Metric]:
    """Return speed and memory of one cold run of the clip ten times over."""
    run = _cold(material, folder, renderer)
    return [
        rate("reenact, cold, ten times as long", material.frames, [run.spent]),
        Metric("peak memory, ten times as long", "GB", (run.peak_bytes / 1e9,), memory_threshold(renderer)),
        Metric("the same, over that of the clip", "ratio", (run.peak_bytes / max(1, short.peak_bytes),), GROWTH),
    ]


def _words(material: Material, renderer: str) -> list[str]:
    out = ["--size", str(SIZE_PIXELS), "--renderer", renderer, "-o", "cold/out.mp4", "--work", "cold/work", "--quiet"]
    return ["reenact", str(material.portrait.absolute()), str(material.clip.absolute()), *out]


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def _cold(material: Material, folder: Path, renderer: str) -> Run:
    _emptied(folder / "cold")
    return run_program(_words(material, renderer), folder=folder)


def measure_warm(material: Material, folder: Path, renderer: str, *, repeats: int) -> tuple[list[Metric], Made]:
    """Return the metrics of the job in this process, after one run that does not count; and where its results lie."""
    whole, runs = [], []
    for _ in range(repeats + 1):
        _emptied(folder / "warm")
        stages = Stages()
        whole.append(spent_by(lambda: _reenact(material, folder / "warm", renderer, stages)))  # noqa: B023 - called at once
        runs.append(stages)
    frames, runs = material.frames, runs[1:]

    def by_stage(name: str, start: str, threshold: Threshold | None = None) -> Metric:
        return Metric(name, "frames/s", tuple(frames / run.seconds(start) for run in runs), threshold)

    metrics = [
        rate("reenact, warm", frames, whole[1:], speed_threshold(renderer)),
        by_stage("  crop of the driver", "crop driver", CROP),
        by_stage("  coefficients of the driver", "fit driver"),
        by_stage("  motion", "motion"),
        by_stage("  render and encode", "render"),
        Metric("  mux", "s", tuple(run.seconds("mux") for run in runs)),
        Metric("  crop and coefficients of the source", "s", tuple(_source_seconds(run) for run in runs)),
    ]
    made = runs[-1].folders
    motions = tuple(made[label] for label in sorted(made, key=_number) if label.startswith("motion"))
    return metrics, Made(
        made["crop source"], made["fit source"], made["crop driver"], motions, made.get("prepare source")
    )


def _source_seconds(run: Stages) -> float:
    return run.seconds("crop source") + run.seconds("fit source")


def _number(label: str) -> int:
    return int("0" + label.rpartition(" ")[2]) if label[-1:].isdigit() else 0


def _reenact(material: Material, folder: Path, renderer: str, stages: Stages) -> None:
    options = options_for(renderer, size_pixels=SIZE_PIXELS)
    with Job(Workspace(folder / "work"), {"command": "bench"}, events=stages.take) as job:
        work = prepare(job, material.portrait, material.clip, folder / "out.mp4", options)
        reenact(job, work)
