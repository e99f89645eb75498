"""Kill a real reenactment at random moments, resume it each time, and check that nothing is lost or damaged.

    python tools/kill_trial.py SOURCE DRIVER [--kills 30] [--seed 1] [--segment-frames 10]

The job first runs undisturbed. Then rounds begin, each in a new work folder: the job is started, killed by SIGKILL a
random number of stages later, started again on the same folder, and so on until it finishes. Meanwhile the folder of
the result is watched. A kill is harmless if every file under a final name is complete and if it costs one execution of
a stage at most. A round is good if its result has the bytes of the undisturbed run, if no other bytes were ever seen
under its name and if no file is left beside it. The exit code is 1 unless all is good.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

ROOT = Path(__file__).parents[1]
PROGRAM = "from facepipe.cli import main; main()"
WATCH_SECONDS = 0.002
DELAY_SECONDS = 0.1
"""The longest time from an event to the kill, so that most kills hit a stage while it works."""


class Process(Protocol):
    """A started job; its standard error goes to its standard output."""

    @property
    def stdout(self) -> IO[bytes] | None:
        """Return what it writes."""

    def kill(self) -> None:
        """Send SIGKILL."""

    def wait(self) -> int:
        """Wait until it has ended, and return the exit code."""


@dataclass(frozen=True)
class Task:
    """A job: its files and options."""

    source: Path
    driver: Path
    segment_frames: int = 10
    size_pixels: int = 256

    def start(self, folder: Path) -> Process:
        """Start it. The folder receives the result and the work files."""
        (folder / "out").mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-c", PROGRAM, *map(str, self.arguments(folder))]
        variables = {**os.environ, "PYTHONPATH": str(ROOT), **self.variables()}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables)

    def arguments(self, folder: Path) -> list[str | Path]:
        """Return the arguments of the program."""
        out, work = folder / "out" / "result.mp4", folder / "work"
        size = str(self.size_pixels)
        return ["reenact", self.source, self.driver, "-o", out, "--work", work, "--size", size, "--json"]

    def variables(self) -> dict[str, str]:
        """Return the environment variables of the program that differ from those of this process."""
        return {"FACEPIPE_WORK_SEGMENT_FRAMES": str(self.segment_frames)}


@dataclass(frozen=True)
class Run:
    """How one process ended, and what it printed: events of stages, and everything else."""

    exit_code: int
    events: list[dict[str, Any]]
    messages: list[str]

    @property
    def was_killed(self) -> bool:
        """Whether it ended by SIGKILL."""
        return self.exit_code == -signal.SIGKILL

    @property
    def last_stage(self) -> str:
        """The last stage that it began."""
        if not self.events:
            return "start-up"
        return "sampling" if self.ended("mux") else str(self.events[-1]["label"])

    def begun(self, stage: str = "") -> list[str]:
        """Return the fingerprints of the executions that it began, of one stage or of all."""
        return self._fingerprints("start", stage)

    def ended(self, stage: str = "") -> list[str]:
        """Return the fingerprints of the executions that it completed, of one stage or of all."""
        return self._fingerprints("done", stage)

    def _fingerprints(self, event: str, stage: str) -> list[str]:
        found = [one for one in self.events if one["event"] == event and stage in ("", one["stage"])]
        return [one["fingerprint"] for one in found]


@dataclass
class Trial:
    """One run of the job, killed or undisturbed, and the faults that were found after it."""

    number: int
    killed: bool
    at: str
    lost: int
    """Executions of stages that have to be repeated, or that repeated a completed one."""
    lost_segments: int
    faults: list[str] = field(default_factory=list)


def digest(path: Path) -> str:
    """Return the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def finish(child: Process, kill_after: int | None = None, delay_seconds: float = 0.0) -> Run:
    """Wait until a job ends, or kill it some time after it has reported `kill_after` begun and completed stages."""
    assert child.stdout
    events, messages = [], []
    for line in child.stdout:
        try:
            event = json.loads(line)
        except ValueError:  # text for people, or a line that the kill cut off
            messages.append(line.decode(errors="replace"))
            continue
        if event["event"] in ("start", "done"):
            events.append(event)
            if len(events) == kill_after:
                time.sleep(delay_seconds)
                child.kill()
    return Run(child.wait(), events, messages)


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
    """Return the results with a final name in a work folder that are not complete."""
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
    """Return files that a finished job should not have left behind."""
    beside = {path.name for path in (folder / "out").iterdir()} - {"result.mp4", "result.mp4.json"}
    drafts = [path.name for path in (folder / "work").rglob("*.draft")]
    return [f"left behind: {name}" for name in (*sorted(beside), *drafts)]


def trials(task: Task, folder: Path, kills: int, seed: int) -> Iterator[Trial]:
    """Run the job undisturbed, then kill it `kills` times, in as many rounds as that takes; finish the last one."""
    calm = finish(task.start(folder / "calm"))
    assert calm.exit_code == 0, calm.messages
    expected, stages = digest(folder / "calm" / "out" / "result.mp4"), len(calm.events)
    chance, killed = random.Random(seed), 0
    for number in range(1, 10 * kills):
        for trial in one_round(task, folder / str(number), stages, kills - killed, expected, chance):
            killed += trial.killed
            trial.number = killed
            yield trial
        shutil.rmtree(folder / str(number))
        if killed == kills or trial.faults:
            return


def one_round(
    task: Task, folder: Path, stages: int, kills: int, expected: str, chance: random.Random
) -> Iterator[Trial]:
    """Start the job again and again, kill it `kills` times at most, and check its result when it has finished."""
    completed: set[str] = set()
    with watched(folder / "out", expected) as seen:
        while True:
            # A third of the job at most, so that each round takes several kills and reaches the last stage.
            after, delay_seconds = chance.randint(1, max(1, stages // 3)), chance.uniform(0, DELAY_SECONDS)
            run = finish(task.start(folder), after if kills else None, delay_seconds)
            trial = evaluated(run, folder, completed)
            kills -= trial.killed
            if trial.killed:
                yield trial
                continue
            if run.exit_code != 0:
                trial.faults.append(f"it ended with {run.exit_code}: {''.join(run.messages).strip()}")
            elif digest(folder / "out" / "result.mp4") != expected:
                trial.faults.append("another result")
            break
    trial.faults += [*seen, *left_over(folder)]
    yield trial


def evaluated(run: Run, folder: Path, completed: set[str]) -> Trial:
    """Return the cost and the faults of a run; add its completed executions to `completed`."""
    lost = {}
    for stage in ("", "render"):
        begun, ended = run.begun(stage), run.ended(stage)
        lost[stage] = len(begun) - len(ended) + len(completed.intersection(begun))
    faults = unfinished(folder / "work")
    if lost[""] > 1:
        faults.append(f"{lost['']} executions lost")
    completed.update(run.ended())
    return Trial(0, run.was_killed, run.last_stage, lost[""], lost["render"], faults)


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
    print(f"{'kill':>4}  {'during':<14}  {'executions lost':>15}  {'segments lost':>13}  verdict")
    with tempfile.TemporaryDirectory(prefix="facepipe-kill-") as folder:
        for trial in trials(task, Path(folder), given.kills, given.seed):
            bad += bool(trial.faults)
            verdict = "; ".join(trial.faults) or ("good" if trial.killed else "same bytes")
            number, at = (str(trial.number), trial.at) if trial.killed else ("", "finished")
            print(f"{number:>4}  {at:<14}  {trial.lost:>15}  {trial.lost_segments:>13}  {verdict}", flush=True)
    print(f"{given.kills} kills, {bad} runs with faults")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
