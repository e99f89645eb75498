"""Standard streams that are closed, or on a full disk: the work is done, and what is lost is said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.program import CODE, ROOT

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="takes /dev/full")


def shell(redirections: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program through a shell that redirects its streams."""
    line = f'"$@" {redirections}'
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = ["sh", "-c", line, "sh", sys.executable, "-c", CODE, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def edit(portrait: Path, out: Path) -> list[str]:
    work = portrait.with_name("streams-work")
    return ["edit", str(portrait), "--yaw", "10", "--size", "64", "--work", str(work), "-o", str(out)]


@pytest.fixture
def portrait(scene: object) -> Path:
    return scene.portrait  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("streams", ["<&- >&- 2>&-", "2>/dev/full"])
def test_the_result_is_made_without_a_place_for_messages(streams: str, portrait: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    assert shell(streams, *edit(portrait, out)).returncode == 0
    assert out.is_file()
    assert out.with_name("out.png.json").is_file()


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_names_that_cannot_be_written_are_not_a_failure_of_the_result(
    words: list[str], portrait: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.png"
    ended = shell(">/dev/full", *edit(portrait, out), *words)
    assert ended.returncode == 4
    assert out.is_file()
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("facepipe: stdout: the output could not be written (No space left on device)")
    assert "files that were made are whole" in last
    assert "Exception" not in ended.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["config"]])
def test_text_that_cannot_be_written_is_a_failure(arguments: list[str]) -> None:
    ended = shell(">/dev/full", *arguments)
    assert ended.returncode == 4
    assert ended.stderr.count("the output could not be written") == 1
    assert shell(">&-", *arguments).returncode == 0


def test_errors_keep_their_exit_code_without_streams(tmp_path: Path) -> None:
    missing = edit(tmp_path / "none.png", tmp_path / "out.png")
    for streams in ("2>/dev/full", "2>&-", "<&- >&- 2>&-", ">/dev/full"):
        assert shell(streams, *missing).returncode == 3, streams


def test_a_log_file_on_a_full_disk_does_not_end_the_work(portrait: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    ended = shell("", *edit(portrait, out), "--log-file", "/dev/full")
    assert ended.returncode == 4
    assert out.is_file()
    assert "--log-file /dev/full: is incomplete (No space left on device); the work itself is done" in ended.stderr
