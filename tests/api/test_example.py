"""The example of the documentation runs, and says what the functions give."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from tests.pipeline.scene import ROOT


@pytest.mark.slow
def test_the_example_runs_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["notebook.py", "made"])
    for again in (False, True):
        runpy.run_path(str(ROOT / "examples/notebook.py"), run_name="__main__")
        printed = capsys.readouterr()
        lines = printed.out.splitlines()
        assert lines[0] == f"{Path('made/driver.mp4')}: 100 frames"
        assert lines[1].endswith(f"contact sheet {Path('made/sheet.png')}")
        assert "'shape': [512, 512, 3]" in lines[3]
        assert len(lines[5].split(":")[1].split()) == 5
        assert lines[6].startswith("source is an array of shape (512, 512, 3) and dtype float64, expected uint8")
        assert ("rendered" in printed.err) is not again  # the second time all of it is found done
    names = {path.name for path in (tmp_path / "made").iterdir()}
    assert {"driver.mp4", "result.mp4", "sheet.png", "smile.png", "smile.png.json"} <= names
