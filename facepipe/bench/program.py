"""facepipe as a program of its own: how long a fresh process takes, and how much memory it and its children hold."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from facepipe.bench.metric import Spent
from facepipe.errors import FacepipeError

ENTRY = "from facepipe.cli import main; main()"
SECONDS_BETWEEN_LOOKS = 0.02
PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Run:
    """One run of the program."""

    spent: Spent
    peak_bytes: int
    """The most that the process and its children together were seen to hold: the sum of each one's own peak so far, so
    rather too much than too little. 0 where the platform does not tell."""


def run_program(words: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None) -> Run:
    """Run facepipe with these words in a folder, with more variables if given.

    Raises FacepipeError with its last words when it fails.
    """
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with (
        (folder / "stderr.txt").open("w+b") as told,
        subprocess.Popen(
            [sys.executable, "-c", ENTRY, *words],
            cwd=folder,
            env=os.environ | (environment or {}),
            stdout=subprocess.DEVNULL,
            stderr=told,
        ) as child,
    ):
        peak_bytes = _watch(child)
        seconds = time.perf_counter() - wall
        if child.returncode:
            told.seek(0)
            raise FacepipeError(
                f"facepipe {' '.join(words)} ended with code {child.returncode} as it was measured; see -v",
                detail=told.read().decode(errors="replace")[-2000:],
            )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(Spent(seconds, cpu_seconds), peak_bytes)


def _watch(child: subprocess.Popen[bytes]) -> int:
    """Wait for a child; return the most that it and its children held at a time."""
    peak = 0
    while True:
        peak = max(peak, sum(peak_of(pid) for pid in _family(child.pid)))
        try:
            child.wait(SECONDS_BETWEEN_LOOKS)
        except subprocess.TimeoutExpired:
            continue
        return peak


def _family(pid: int) -> list[int]:
    """Return a process and all below it, but for those that have yet to become another program.

    Until then a child shares its parent's memory, which must not count twice.
    """
    found, waiting = [], [pid]
    while waiting:
        found.append(parent := waiting.pop())
        own = _text(PROCESSES / str(parent) / "cmdline")
        children = [int(word) for thread in _children_files(parent) for word in _text(thread).split()]
        waiting += [child for child in children if _text(PROCESSES / str(child) / "cmdline") != own]
    return found


def _children_files(pid: int) -> list[Path]:
    try:
        return list((PROCESSES / str(pid) / "task").glob("*/children"))
    except OSError:
        return []


def peak_of(pid: int) -> int:
    """Return the most memory that a process ever held, in bytes."""
    found = re.search(r"^VmHWM:\s*(\d+) kB", _text(PROCESSES / str(pid) / "status"), re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # It has ended meanwhile, or this platform has no such file.
        return ""
