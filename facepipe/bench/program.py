"""Time and memory of facepipe in a new process, with its child processes."""

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

from facepipe.bench.metric import Timing
from facepipe.errors import FacepipeError

ENTRY = "from facepipe.cli import main; main()"
POLL_SECONDS = 0.02
PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Run:
    """One run of the program."""

    timing: Timing
    peak_bytes: int
    """Peak memory of the process and its children: the maximum over time of the sum of their own peaks so far, so an
    upper bound. 0 on platforms without /proc."""


def run_program(args: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None) -> Run:
    """Run facepipe with arguments in a folder, with additional environment variables.

    Raises FacepipeError, with the end of its stderr as detail, if it fails.
    """
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with (
        (folder / "stderr.txt").open("w+b") as stderr,
        subprocess.Popen(
            [sys.executable, "-c", ENTRY, *args],
            cwd=folder,
            env=os.environ | (environment or {}),
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        ) as child,
    ):
        peak_bytes = _watch(child)
        seconds = time.perf_counter() - wall
        if child.returncode:
            stderr.seek(0)
            raise FacepipeError(
                f"facepipe {' '.join(args)} exited with code {child.returncode} while it was measured; see -v",
                detail=stderr.read().decode(errors="replace")[-2000:],
            )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(Timing(seconds, cpu_seconds), peak_bytes)


def _watch(child: subprocess.Popen[bytes]) -> int:
    """Wait for a child process; return the peak memory of it and its children, in bytes."""
    peak = 0
    while True:
        peak = max(peak, sum(peak_of(pid) for pid in _family(child.pid)))
        try:
            child.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return peak


def _family(pid: int) -> list[int]:
    """Return a process and its descendants, without those between fork and exec.

    Until exec a child shares its parent's memory, which must not count twice.
    """
    found, pending = [], [pid]
    while pending:
        found.append(parent := pending.pop())
        own = _text(PROCESSES / str(parent) / "cmdline")
        children = [int(word) for thread in _children_files(parent) for word in _text(thread).split()]
        pending += [child for child in children if _text(PROCESSES / str(child) / "cmdline") != own]
    return found


def _children_files(pid: int) -> list[Path]:
    try:
        return list((PROCESSES / str(pid) / "task").glob("*/children"))
    except OSError:
        return []


def peak_of(pid: int) -> int:
    """Return the peak memory of a process, in bytes; 0 if it is unknown."""
    found = re.search(r"^VmHWM:\s*(\d+) kB", _text(PROCESSES / str(pid) / "status"), re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # The process has ended, or the platform has no /proc.
        return ""
