"""The example of the documentation runs, and says what the functions give."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.scene import ROOT


@pytest.mark.slow
def test_the_example_runs_twice(tmp_path: Path) -> None:
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples/notebook.py"), "made"]
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert lines[0] == f"{Path('made/driver.mp4')}: 100 frames"
        assert lines[1].endswith(f"contact sheet {Path('made/sheet.png')}")
        assert "'shape': [512, 512, 3]" in lines[3]
        assert len(lines[5].split(":")[1].split()) == 5
        assert lines[6].startswith("source is an array of shape (512, 512, 3) and dtype float64, expected uint8")
    assert "rendered" not in done.stderr  # all of it was found done
    names = {path.name for path in (tmp_path / "made").iterdir()}
    assert {"driver.mp4", "result.mp4", "sheet.png", "smile.png", "smile.png.json"} <= names
