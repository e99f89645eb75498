"""What the machinery of a batch costs: by itself, with a stage that makes next to nothing, up to a million items."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from facepipe.batch.engines import Engine
from facepipe.batch.joblist import JobList
from facepipe.batch.limits import Limits
from facepipe.batch.overview_reader import read_overview
from facepipe.batch.run import Run
from facepipe.bench.metric import Metric, Threshold, spent_by
from facepipe.bench.notes import listed, write_sources
from facepipe.bench.program import peak_of
from facepipe.engine.batch_paths import BatchPaths
from facepipe.engine.events import ignore
from facepipe.engine.item_log import ItemLogReader
from facepipe.engine.journal import line_of
from facepipe.errors import FacepipeError

ENTRY = "from facepipe.bench.batch import main; main()"
SMALL, WORKERS, CLOCK_TICK_SECONDS = 100, 2, 0.01
FLAT_WITHIN = 1.5


def measure_batch(folder: Path, *, items: int, executed: int, most: int) -> Iterator[Metric]:
    """Yield the metrics of batches; each from a process of its own.

    So many `items` are planned, found done and told of; `executed` of them are really made; plans go up to `most`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    write_sources(folder)
    yield from _first(folder, executed)
    yield from _batches(folder, items)
    yield from _plans(folder, items, most)


def _first(folder: Path, count: int) -> Iterator[Metric]:
    """Yield what an executed stage costs beside its function, and beside the starting of workers, told by itself."""
    found = _phase("first", folder, folder / "first", count)
    name, cpu_seconds = f"first run of {count} items, {WORKERS} workers", found["cpu_seconds"]
    yield Metric(name, "s", (found["seconds"],), None, cpu_seconds + found["children_cpu_seconds"])
    spans = _spans(BatchPaths(folder / "first"))
    yield Metric("  starting and ending of workers", "s", (found["seconds"] - max(spans),))
    at_work, whole = (1000 * seconds / count for seconds in (sum(spans), WORKERS * found["seconds"]))
    yield Metric("overhead an executed stage, by the clock", "ms", (at_work,), Threshold(15, "at most"))
    yield Metric("  with starting and ending of workers", "ms", (whole,))
    busy = 1000 * (cpu_seconds + found["children_cpu_seconds"]) / count
    yield Metric("overhead an executed stage, processor", "ms", (busy,), Threshold(15, "at most"))
    yield _seconds(f"second run of {count} items", _phase("second", folder, folder / "first", count))
    shutil.rmtree(folder / "first")


def _spans(paths: BatchPaths) -> list[float]:
    """Return how long each worker was at work, from when it began its first item to the end of its last, in seconds."""
    times: dict[str, list[float]] = {}
    for _, said, journal in ItemLogReader(paths.journal).news():
        if "state" in said:
            times.setdefault(journal, []).append(said["time"])
    return [max(stamps) - min(stamps) for stamps in times.values()]


def _batches(folder: Path, items: int) -> Iterator[Metric]:
    per_item: dict[str, list[float]] = {}
    for count in dict.fromkeys((SMALL, items)):
        work, named = folder / f"work-{count}", f"{count} items: "
        found = {"plan": _phase("plan", folder, work, count)}
        _phase("outputs", folder, work, count)
        _phase("log", folder, work, count)
        found |= {phase: _phase(phase, folder, work, count) for phase in ("second", "status")}
        for phase, took in found.items():
            per_item.setdefault(phase, []).append(took["working_seconds"] / count)
        if count == items:
            yield _seconds(f"{named}plan", found["plan"], 30)
            yield _seconds(f"{named}second run, nothing to do", found["second"], 30)
            yield Metric("  its memory", "MB", (found["second"]["peak_mb"],), Threshold(500, "at most"))
            yield _seconds(f"{named}status", found["status"], 5)
    for phase, values in per_item.items():
        name = f"an item's cost, {phase}, {items} to {SMALL}"
        # So few items can be done within one tick of the clock, and took no more than that.
        ratio = values[-1] / max(values[0], CLOCK_TICK_SECONDS / SMALL)
        yield Metric(name, "times", (ratio,), Threshold(FLAT_WITHIN, "at most"))


def _plans(folder: Path, items: int, most: int) -> Iterator[Metric]:
    """Yield time and memory of plans over an item log in which all is done, for growing lists."""
    counts = [count for count in (items, 200_000, 1_000_000) if count <= most]
    for count in dict.fromkeys(counts):
        work = folder / f"log-{count}"
        _phase("log", folder, work, count)
        found = _phase("again", folder, work, count)
        threshold = 1000.0 if count == 1_000_000 else None
        yield _seconds(f"plan of {count} done items", found)
        yield Metric("  its memory", "MB", (found["peak_mb"],), Threshold(threshold, "at most") if threshold else None)
        yield _seconds(f"status of {count} items", _phase("status", folder, work, count))
        shutil.rmtree(work)


def _seconds(name: str, found: dict[str, float], most: float | None = None) -> Metric:
    return Metric(name, "s", (found["seconds"],), Threshold(most, "at most") if most else None, found["cpu_seconds"])


def _phase(phase: str, folder: Path, work: Path, count: int) -> dict[str, float]:
    """Run a phase in a process of its own; return its time and memory."""
    words = [sys.executable, "-c", ENTRY, phase, str(folder), str(work), str(count)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FacepipeError(f"the phase {phase} of {count} items failed as it was measured; see -v", detail=done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(words: Sequence[str] | None = None) -> None:
    """Run one phase and print what it took, as JSON."""
    phase, folder, work, count = words or sys.argv[1:]
    os.chdir(folder)
    act = PHASES[phase]
    jobs = listed(int(count))
    spent = spent_by(lambda: act(jobs, Path(work)))
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    found = {
        "seconds": spent.seconds,
        "working_seconds": spent.cpu_seconds,
        "cpu_seconds": own.ru_utime + own.ru_stime,
        "children_cpu_seconds": children.ru_utime + children.ru_stime,
        "peak_mb": peak_of(os.getpid()) / 2**20,
    }
    print(json.dumps(found))


def _run(jobs: JobList, work: Path) -> Run:
    return Run(jobs, work, Path.cwd(), Engine(workers=WORKERS), limits=Limits(), events=ignore)


def _plan(jobs: JobList, work: Path) -> None:
    found = _run(jobs, work).check()
    assert not found.problems, found.problems[0]


def _lead(jobs: JobList, work: Path) -> None:
    run = _run(jobs, work)
    settled = run.lead(run.check())
    assert settled.done == settled.total, settled


def _status(jobs: JobList, work: Path) -> None:
    del jobs
    overview = read_overview(work)
    assert overview.done == overview.total, overview.as_json()


def _write(jobs: JobList, work: Path) -> None:
    """Write the item log that a finished batch leaves, without making anything."""
    run, journal = _run(jobs, work), BatchPaths(work).journal / "host-1-abcdef01.jsonl"
    journal.parent.mkdir(parents=True, exist_ok=True)
    stages = {"crop": [1, 1, 2.105, 125], "coefficients": [1, 1, 0.109, 125], "motion": [1, 0, 0.036, 125]}
    with journal.open("wb") as stream:
        tell: Callable[..., object] = lambda name, /, **value: stream.write(b"\n" + line_of(name, value))  # noqa: E731
        tell(
            "run 0", jobs="notes", items=sum(1 for _ in jobs.items()), workers=2, engine="loky", folder=str(Path.cwd())
        )
        for number, decision in enumerate(run.planner.decisions()):
            known = {"number": 1, "run": "0", "tries": 1, "key": decision.key, "time": 1e9 + number}
            tell(decision.item.id, **known, state="begun")
            done = {"seconds": 3.14, "frames": 125, "lost": 0, "bytes": 42_000, "stages": stages}
            uses = [decision.item.id[:12]] * 7
            tell(decision.item.id, **known, state="done", label="x" * 40, out=decision.item.output, uses=uses, **done)


def _touch(jobs: JobList, work: Path) -> None:
    """Make the files that would be the results."""
    del work
    for item in jobs.items():
        Path(item.output).parent.mkdir(parents=True, exist_ok=True)
        Path(item.output).touch()


PHASES = {
    "plan": _plan,
    "first": _lead,
    "second": _lead,
    "status": _status,
    "log": _write,
    "outputs": _touch,
    "again": _plan,
}
