"""What an engine gives its workers, and what it leaves when it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from facepipe.batch.commands import Commands
from facepipe.batch.engines import Engine
from facepipe.config import load_settings

ROOT = Path(__file__).parents[2]
LEADER = """
import sys, time
from pathlib import Path
from facepipe.batch.engines import Engine
from tests.batch.test_engines import wait

if __name__ == "__main__":
    with Engine(workers=1).started() as apply:
        apply(wait, [Path(sys.argv[1])])
"""


def test_libraries_get_the_threads_of_a_worker_and_openblas_which_spins_one() -> None:
    given = Engine(workers=2, threads=4).environment()
    assert {given[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")} == {"4"}
    assert given["OPENBLAS_NUM_THREADS"] == "1"


def pools(out: Path) -> None:
    """Write the sizes of all thread pools of a worker that was prepared for one thread."""
    import cv2
    import numba
    import torch

    Commands(load_settings()).prepare(1)
    found = {
        "opencv": cv2.getNumThreads(),
        "torch": torch.get_num_threads(),
        "torch, side by side": torch.get_num_interop_threads(),
        "numba": numba.get_num_threads(),
    }
    threadpoolctl = __import__("threadpoolctl")
    for pool in threadpoolctl.threadpool_info():
        found[pool["filepath"]] = pool["num_threads"]
    out.write_text(json.dumps(found))


def test_no_pool_of_a_worker_has_more_threads_than_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("threadpoolctl")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with Engine(workers=1, threads=1).started() as apply:
        apply(pools, [tmp_path / "pools"])
    found = json.loads((tmp_path / "pools").read_text())
    assert len(found) > 4
    assert {name: size for name, size in found.items() if size != 1} == {}


def wait(folder: Path) -> None:
    """Tell that a worker runs, and wait for the end of the leader."""
    leader = os.getppid()
    (folder / "begun").touch()
    while os.getppid() == leader:
        signal.sigtimedwait([], 0.05)
    os._exit(0)


def test_nothing_is_printed_after_a_leader_was_killed(tmp_path: Path) -> None:
    """The process that frees what a killed leader left is loky's; it would warn of semaphores on the terminal."""
    (tmp_path / "leader.py").write_text(LEADER)
    child = subprocess.Popen(
        [sys.executable, str(tmp_path / "leader.py"), str(tmp_path)], stderr=subprocess.PIPE, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    while not (tmp_path / "begun").exists():
        assert child.poll() is None
        signal.sigtimedwait([], 0.02)
    child.kill()
    _, errors = child.communicate()  # ends when the last process that shares stderr has ended
    assert errors == b""
