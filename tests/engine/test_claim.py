"""Claims are exclusive, are touched by their holders, and are taken over from dead processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facepipe.engine.claim import Claims, is_process_dead, process_token


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    one, other = Claims(tmp_path), Claims(tmp_path)
    assert one.take("abc")
    assert not other.take("abc")
    assert other.judge("abc") == "live"
    one.release("abc")
    assert other.judge("abc") == "free"
    assert other.take("abc")
    assert list(other.names()) == ["abc"]


def test_taking_a_claim_does_not_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: pytest.fail(f"fsync of {handle}"))
    claims = Claims(tmp_path / "batch" / "claims")
    assert claims.take("abc")
    claims.release("abc")


def test_release_leaves_a_claim_that_was_taken_over(tmp_path: Path) -> None:
    one, other = Claims(tmp_path), Claims(tmp_path)
    one.take("abc")
    (tmp_path / "ab" / "abc").write_text(other.token)
    one.release("abc")
    assert other.holder("abc") == other.token


def test_the_claim_of_a_dead_process_is_taken_at_once(tmp_path: Path) -> None:
    code = "import sys, os; from pathlib import Path; from facepipe.engine.claim import Claims\n"
    code += f"assert Claims(Path({str(tmp_path)!r})).take('abc'); os.kill(os.getpid(), 9)"
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=False)
    mine = Claims(tmp_path)
    assert mine.judge("abc") == "dead"
    assert mine.take("abc")
    assert mine.holder("abc") == mine.token


def test_a_reused_pid_is_another_process() -> None:
    host, pid, _, chance = process_token().split(" ")
    assert is_process_dead(f"{host} {pid} 1 {chance}") is (sys.platform == "linux" or None)
    assert is_process_dead(process_token()) is False
    assert is_process_dead("elsewhere 1 2 3") is None


def test_another_machine_is_watched_by_its_heartbeat_not_by_its_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("facepipe.engine.claim.time.monotonic", lambda: now)
    mine, path = Claims(tmp_path, stale_seconds=60), tmp_path / "ab" / "abc"
    path.parent.mkdir()
    path.write_text("elsewhere 1 2 3")
    # The other machine's clock is far ahead, then far behind; neither matters.
    os.utime(path, (time.time() + 1e6,) * 2)
    assert mine.judge("abc") == "unknown"
    now += 59
    assert not mine.take("abc")
    os.utime(path, (time.time() - 1e6,) * 2)
    assert mine.judge("abc") == "live"
    now += 59
    assert mine.judge("abc") == "live"
    now += 2
    assert mine.judge("abc") == "dead"
    assert mine.take("abc")


def test_only_claims_of_dead_processes_are_swept(tmp_path: Path) -> None:
    mine, other = Claims(tmp_path), Claims(tmp_path)
    other.take("abc")
    mine.path("abd").write_text("elsewhere 1 2 3")
    mine.bury("elsewhere 1 2 3")
    mine.sweep()
    assert list(mine.names()) == ["abc"]


def test_turn_waits_for_the_holder(tmp_path: Path) -> None:
    one, other = Claims(tmp_path), Claims(tmp_path)
    one.take("abc")
    looks = []

    def check() -> None:
        looks.append(1)
        if len(looks) == 2:
            one.release("abc")

    with other.turn("abc", check) as waited:
        assert waited
        assert other.holder("abc") == other.token
    assert other.judge("abc") == "free"
