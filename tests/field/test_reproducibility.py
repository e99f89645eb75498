"""docs/reproducibility.md: each row names what holds it, and the rows that no other test holds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from facepipe.media.signing import Credentials, sign_file
from tests.pipeline.scene import ROOT, Scene

PAGE = ROOT / "docs" / "reproducibility.md"


def test_each_row_names_a_test_or_a_finding_that_exists() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.startswith("| what differs")]
    assert len(rows) > 10
    for row in rows:
        holders = re.findall(r"`((?:tests|findings)/[\w/]+\.(?:py|sh))`", row.rpartition(" | ")[2])
        assert holders or "not measured" in row, row
        assert [holder for holder in holders if not (ROOT / holder).is_file()] == []


@pytest.mark.parametrize("renderer", ["mesh", "compact"])
def test_the_number_of_threads_changes_no_byte(renderer: str, scene: Scene, tmp_path: Path) -> None:
    results = set()
    for threads in ("1", "2"):
        out = tmp_path / threads / "out.mp4"
        options = ["--size", "64", "--renderer", renderer, "--work", tmp_path / threads / "work", "-o", out]
        command = [sys.executable, "-m", "facepipe", "reenact", scene.portrait, scene.motion, *options]
        environment = {**os.environ, "OMP_NUM_THREADS": threads}
        subprocess.run(list(map(str, command)), env=environment, check=True, capture_output=True, cwd=tmp_path)
        results.add(out.read_bytes())
    assert len(results) == 1


def test_each_signature_differs(scene: Scene, tmp_path: Path) -> None:
    pytest.importorskip("c2pa")
    from tests.pipeline.credentials import make_credentials

    credentials = Credentials(*make_credentials(tmp_path))
    signed = [tmp_path / name for name in ("one.png", "two.png")]
    for path in signed:
        sign_file(scene.portrait, path, credentials, {"source": "0" * 64})
    assert signed[0].read_bytes() != signed[1].read_bytes()
