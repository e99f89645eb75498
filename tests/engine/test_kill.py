"""Real processes that are killed and race: one result, the same bytes, nothing left behind."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.engine import repetition

ROOT = Path(__file__).parents[2]
PIECES = 6


def start(work: Path, text: Path, *, seconds: float = 0.01, times: int = 5) -> subprocess.Popen[str]:
    command = [sys.executable, repetition.__file__, str(work), str(text), str(times), str(PIECES), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def finish(child: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = child.communicate()
    assert child.returncode == 0, out
    content: dict[str, Any] = json.loads(out)
    return content


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("hello\n" * 1000)
    return path


def expected() -> str:
    return "\n".join((f"{piece}:" + "hello\n" * 1000) * 5 for piece in range(PIECES))


def assert_clean(work: Path) -> None:
    assert list(work.rglob("*.draft")) == []
    for folder in work.glob("*/??/*"):
        assert (folder / "record.json").is_file(), folder


def test_a_job_killed_anywhere_continues_to_the_same_bytes(tmp_path: Path, text: Path) -> None:
    work, chance, killed = tmp_path / "work", random.Random(7), 0
    for _ in range(40):
        before = set(work.glob("repeat/??/*"))
        child = start(work, text, seconds=0.03)
        while child.poll() is None and set(work.glob("repeat/??/*")) <= before:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.1)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        killed += child.returncode == -signal.SIGKILL
        for folder in work.glob("*/??/*"):  # a folder with a final name is complete
            if not folder.name.endswith(".draft"):
                record = json.loads((folder / "record.json").read_text())
                assert all((folder / n).stat().st_size == o["bytes"] for n, o in record["outputs"].items())
        if child.returncode == 0:
            break
    result = finish(start(work, text, seconds=0.03))
    assert killed >= 5
    assert Path(result["path"]).read_text() == expected()
    assert_clean(work)
    assert set(finish(start(work, text, seconds=0.03))["reasons"].values()) == {"done"}


def test_a_kill_costs_only_the_current_piece(tmp_path: Path, text: Path) -> None:
    work = tmp_path / "work"
    child = start(work, text, seconds=0.1)

    def finished() -> int:  # A draft gets its record just before it is renamed.
        return sum(not path.parent.name.endswith(".draft") for path in work.glob("repeat/??/*/record.json"))

    while finished() < 2:
        time.sleep(0.01)
    while not list(work.glob("repeat/??/*.draft/repeated.txt")):
        time.sleep(0.01)
    child.kill()
    child.wait()
    before = finished()
    result = finish(start(work, text, seconds=0.1))
    assert result["skipped"] == before
    assert list(result["reasons"].values()).count("incomplete") == 1


def test_two_processes_make_one_result(tmp_path: Path, text: Path) -> None:
    children = [start(tmp_path / "work", text) for _ in range(3)]
    results = [finish(child) for child in children]
    assert len({result["path"] for result in results}) == 1
    assert all(result["failed"] == 0 for result in results)
    assert Path(results[0]["path"]).read_text() == expected()
    assert_clean(tmp_path / "work")


def test_a_kill_does_not_affect_another_process(tmp_path: Path, text: Path) -> None:
    work = tmp_path / "work"
    victim, survivor = start(work, text, seconds=0.05), start(work, text, seconds=0.05)
    while not list(work.glob("repeat/??/*.draft")):
        time.sleep(0.01)
    victim.kill()
    victim.communicate()
    assert Path(finish(survivor)["path"]).read_text() == expected()
    finish(start(work, text, times=6))
    assert list(work.glob("repeat/??/*.draft")) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_request_to_stop_leaves_a_clean_folder(tmp_path: Path, text: Path, number: signal.Signals) -> None:
    work = tmp_path / "work"
    child = start(work, text, seconds=0.1)
    while not list(work.glob("repeat/??/*.draft/repeated.txt")):
        time.sleep(0.01)
    child.send_signal(number)
    out, _ = child.communicate()
    assert (child.returncode, "run the same command to continue" in out) == (130, True)
    assert_clean(work)
    assert Path(finish(start(work, text))["path"]).read_text() == expected()
