"""Batches that are killed, whose clock is wrong, and that two machines share: the trials of tools/, in small."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tools import batch_trial

KILLS = int(os.environ.get("FACEPIPE_BATCH_KILLS", "4"))


def may_name_machines() -> bool:
    """Tell whether a process may have a host name of its own here."""
    if not shutil.which("unshare"):
        return False
    words = ["unshare", "--uts", "hostname", "another"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_kills_lose_a_segment_each_at_most(tmp_path: Path) -> None:
    assert batch_trial.kills(tmp_path / "batch", KILLS, seed=2, items=8, seconds=0.2) == []


def test_a_clock_that_was_set_back_changes_nothing(tmp_path: Path) -> None:
    assert batch_trial.clock(tmp_path / "batch") == []


@pytest.mark.slow
@pytest.mark.skipif(not may_name_machines(), reason="host names cannot be changed for one process here")
def test_two_machines_share_a_folder_and_one_outlives_the_other(tmp_path: Path) -> None:
    assert batch_trial.hosts(tmp_path / "shared") == []
    assert batch_trial.stale(tmp_path / "stale") == []
