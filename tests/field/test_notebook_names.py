"""A notebook's folder with modules that have the names of folders of this repository."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
USE = """
import stages, weights
assert stages.MINE and weights.MINE
import facepipe.pipeline.reenact
from facepipe import stages as own
from facepipe.spaces import SPACES
from facepipe.weights import find
own.crop.STAGE, find("detector").path, SPACES["linear478"].estimation()
"""


@pytest.mark.parametrize("form", ["module", "package"])
def test_modules_named_stages_and_weights_are_left_to_the_notebook(form: str, tmp_path: Path) -> None:
    for name in ("stages", "weights"):
        path = tmp_path / (f"{name}.py" if form == "module" else f"{name}/__init__.py")
        path.parent.mkdir(exist_ok=True)
        path.write_text("MINE = True\n", "utf-8")
    # Like an editable install: the repository is searched after the notebook's folder.
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", USE], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_python_minus_m_is_the_program(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "facepipe", "--version"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("facepipe ")
