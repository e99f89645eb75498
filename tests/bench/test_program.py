"""Measured processes: their time, their memory with that of their children, and their failures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from facepipe.bench import program
from facepipe.bench.program import run_program
from facepipe.errors import FacepipeError

BLOCK_MB = 80
HOLD = f"x = bytearray({BLOCK_MB} << 20); x[::4096] = bytes(len(x[::4096])); import time; time.sleep(0.4)"


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def test_help_is_timed(tmp_path: Path) -> None:
    run = run_program(["--help"], folder=tmp_path)
    assert run.timing.cpu_seconds > 0
    assert 0 < run.timing.seconds < 30
    assert run.peak_bytes == 0 or 5e6 < run.peak_bytes < 500e6


def test_a_failure_has_the_programs_message(tmp_path: Path) -> None:
    with pytest.raises(FacepipeError, match="exited with code 2") as caught:
        run_program(["nonsense"], folder=tmp_path)
    assert "nonsense" in caught.value.detail


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this platform has no /proc")
def test_memory_of_children_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"
    monkeypatch.setattr(program, "ENTRY", inner)
    assert run_program([], folder=tmp_path).peak_bytes > BLOCK_MB << 20


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this platform has no /proc")
def test_the_descendants_of_a_process_are_found() -> None:
    inner = "import time; time.sleep(5)"
    outer = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {inner!r}]); print(flush=True); {inner}"
    with subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        family = program._family(child.pid)
        for pid in family[1:]:
            subprocess.run(["kill", str(pid)], check=True)
        child.kill()
    assert family[0] == child.pid
    assert len(family) == 2
