"""Kill a real reenactment again and again at random moments, go on each time, and see that nothing was lost or spoilt.

    python tools/kill_trial.py SOURCE DRIVER [--kills 30] [--seed 1] [--segment-frames 10]

Each trial has a work folder of its own. The job is started, killed by SIGKILL after a random part of the time that an
undisturbed run takes, and started again until it ends. Meanwhile the folder of the result is watched. A trial is good
if the result has the bytes of the undisturbed run, if nothing else ever bore its name, if no file is left beside it,
and if the kill cost one execution of a stage at most. The exit code is 1 unless all trials are good.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROGRAM = "from facepipe.cli import main; main()"
SECONDS = 300.0
WATCH_SECONDS = 0.002


@dataclass(frozen=True)
class Task:
    """A job: what it is made of, and how it is asked for."""

    source: Path
    driver: Path
    segment_frames: int = 10
    size_pixels: int = 256

    def start(self, folder: Path) -> subprocess.Popen[str]:
        """Start it in a folder, which takes the result and the work files."""
        words = ["reenact", self.source, self.driver, "-o", folder / "out" / "result.mp4", "--work", folder / "work"]
        command = [sys.executable, "-c", PROGRAM, *map(str, words), "--size", str(self.size_pixels), "--json"]
        variables = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "FACEPIPE_WORK_SEGMENT_FRAMES": str(self.segment_frames),
        }
        (folder / "out").mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables)


@dataclass(frozen=True)
class Run:
    """How one process ended."""

    exit_code: int
    events: list[dict[str, Any]]
    stderr: str
    seconds: float

    def count(self, event: str, stage: str = "") -> int:
        """Return how many events of a kind it told, of one stage or of all."""
        return sum(one["event"] == event and stage in ("", one.get("stage")) for one in self.events)

    @property
    def at(self) -> str:
        """The last stage that it began."""
        begun = [one["label"] for one in self.events if one["event"] == "start"]
        delivered = self.events and self.events[-1]["event"] == "done" and self.events[-1]["stage"] == "mux"
        return "delivery" if delivered else begun[-1] if begun else "start-up"


@dataclass
class Trial:
    """One kill and what came of it."""

    number: int
    seconds: float
    killed: bool
    at: str
    lost: int
    """Executions of stages beyond those of an undisturbed run."""
    lost_segments: int
    faults: list[str] = field(default_factory=list)


def digest(path: Path) -> str:
    """Return the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def finish(child: subprocess.Popen[str], kill_after_seconds: float | None = None) -> Run:
    """Wait for a job, or kill it when its time has come."""
    started = time.monotonic()
    try:
        out, told = child.communicate(timeout=kill_after_seconds or SECONDS)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        out, told = child.communicate()
    events = []
    for line in out.splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:  # torn by the kill
            continue
    return Run(child.returncode, events, told, time.monotonic() - started)


@contextmanager
def watched(folder: Path, expected: str) -> Iterator[list[str]]:
    """Watch the folder of a result; yield what was seen under its final name that was not the whole result."""
    seen: list[str] = []
    stop = threading.Event()

    def look() -> None:
        path, known = folder / "result.mp4", None
        while not stop.wait(WATCH_SECONDS):
            try:
                status = path.stat()
                if (status.st_ino, status.st_size, status.st_mtime_ns) != known:
                    known = (status.st_ino, status.st_size, status.st_mtime_ns)
                    if digest(path) != expected:
                        seen.append(f"{status.st_size} bytes under the final name")
            except FileNotFoundError:
                continue

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def unfinished(work: Path) -> list[str]:
    """Return what bears a final name in a work folder and is not whole."""
    faults = []
    for folder in work.glob("*/??/*"):
        if folder.name.endswith(".draft"):
            continue
        try:
            outputs = json.loads((folder / "record.json").read_text())["outputs"]
            whole = all(digest(folder / name) == output["sha256"] for name, output in outputs.items())
        except (OSError, ValueError, KeyError):
            whole = False
        faults += [] if whole else [f"{folder.relative_to(work)} is not whole"]
    return faults


def left_over(folder: Path) -> list[str]:
    """Return what a finished job left behind that it should not have."""
    beside = {path.name for path in (folder / "out").iterdir()} - {"result.mp4", "result.mp4.json"}
    drafts = [path.name for path in (folder / "work").rglob("*.draft")]
    return [f"left behind: {name}" for name in (*sorted(beside), *drafts)]


def try_once(
    number: int, task: Task, folder: Path, after_seconds: float, expected: str, executions: Counter[str]
) -> Trial:
    """Kill the job once, run it to its end, and compare."""
    with watched(folder / "out", expected) as seen:
        first = finish(task.start(folder), after_seconds)
        faults = unfinished(folder / "work")
        second = finish(task.start(folder))
    killed = first.exit_code == -signal.SIGKILL
    if second.exit_code != 0:
        faults.append(f"the second run ended with {second.exit_code}: {second.stderr.strip()}")
    elif digest(folder / "out" / "result.mp4") != expected:
        faults.append("another result")
    begun = Counter(one["stage"] for run in (first, second) for one in run.events if one["event"] == "start")
    lost, lost_segments = sum((begun - executions).values()), begun["render"] - executions["render"]
    if lost > 1:
        faults.append(f"{lost} executions lost")
    faults += [*seen, *left_over(folder)]
    return Trial(number, after_seconds, killed, first.at, lost, lost_segments, faults)


def trials(task: Task, folder: Path, kills: int, seed: int) -> Iterator[Trial]:
    """Run the job undisturbed, then kill it so often, each time in a new folder."""
    calm = finish(task.start(folder / "calm"))
    assert calm.exit_code == 0, calm.stderr
    expected = digest(folder / "calm" / "out" / "result.mp4")
    executions = Counter(one["stage"] for one in calm.events if one["event"] == "start")
    chance, number = random.Random(seed), 0
    for attempt in range(10 * kills):
        if number == kills:
            return
        # A kill of a process that still loads Python says little; one that comes too late says nothing and is repeated.
        after_seconds = calm.seconds * chance.uniform(0.1, 1.0)
        trial = try_once(number + 1, task, folder / str(attempt), after_seconds, expected, executions)
        shutil.rmtree(folder / str(attempt))
        if trial.killed or trial.faults:
            number += 1
            yield trial


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each kill, and the sum of them."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("driver", type=Path)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--segment-frames", type=int, default=10)
    parser.add_argument("--size", type=int, default=256)
    given = parser.parse_args(arguments)
    task = Task(given.source.absolute(), given.driver.absolute(), given.segment_frames, given.size)
    bad = 0
    print(f"{'kill':>4}  {'after':>7}  {'during':<14}  {'executions lost':>15}  {'segments lost':>13}  verdict")
    with tempfile.TemporaryDirectory(prefix="facepipe-kill-") as folder:
        for trial in trials(task, Path(folder), given.kills, given.seed):
            bad += bool(trial.faults)
            verdict = "; ".join(trial.faults) or "same bytes"
            print(
                f"{trial.number:>4}  {trial.seconds:>5.2f} s  {trial.at:<14}  {trial.lost:>15}  "
                f"{trial.lost_segments:>13}  {verdict}",
                flush=True,
            )
    print(f"{given.kills - bad} of {given.kills} kills harmed nothing")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
