"""docs/reproducibility.md: each row names what holds it, and the rows that no other test holds."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from facepipe.media.signing import Credentials, sign_file
from tests.pipeline.scene import ROOT, Scene, in_one_process, run

PAGE = ROOT / "docs" / "reproducibility.md"


def test_each_row_names_a_test_or_a_finding_that_exists() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.startswith("| what differs")]
    assert len(rows) > 10
    for row in rows:
        holders = re.findall(r"`((?:tests|findings)/[\w/]+\.(?:py|sh))`", row.rpartition(" | ")[2])
        assert holders or "not measured" in row, row
        assert [holder for holder in holders if not (ROOT / holder).is_file()] == []


def test_the_number_of_threads_changes_no_byte(scene: Scene, tmp_path: Path) -> None:
    """Of two renderers: in this process, and in one with another number, which libraries read when they are loaded."""
    results, ours = set(), os.environ.get("OMP_NUM_THREADS", "")
    for threads in (ours, "2" if ours == "1" else "1"):
        folder = tmp_path / f"{threads}-threads"
        job: list[str | Path] = ["reenact", scene.portrait, scene.motion, "--size", "64", "--work", folder / "work"]
        jobs: list[list[str | Path]] = [
            [*job, "--renderer", name, "-o", folder / f"{name}.mp4"] for name in ("mesh", "compact")
        ]
        if threads == ours:
            assert [run(*one).exit_code for one in jobs] == [0, 0]
        else:
            environment = {**os.environ, "OMP_NUM_THREADS": threads}
            subprocess.run(in_one_process(*jobs), env=environment, check=True, capture_output=True, cwd=tmp_path)
        results.add(tuple((folder / f"{name}.mp4").read_bytes() for name in ("mesh", "compact")))
    assert len(results) == 1


def test_each_signature_differs(scene: Scene, tmp_path: Path) -> None:
    pytest.importorskip("c2pa")
    from tests.pipeline.credentials import make_credentials

    credentials = Credentials(*make_credentials(tmp_path))
    signed = [tmp_path / name for name in ("one.png", "two.png")]
    for path in signed:
        sign_file(scene.portrait, path, credentials, {"source": "0" * 64})
    assert signed[0].read_bytes() != signed[1].read_bytes()
