"""A renderer is a folder and two lines: a toy renderer, added to a copy of the package, works in every command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.scene import ROOT, Scene

SPEC = """
from facepipe.rendering.spec import RendererSpec

SPEC = RendererSpec(
    name="toy",
    about="the source, darker the more the head turns",
    space="linear478",
    open="facepipe.renderers.toy.renderer:open_renderer",
    weights=("face-model",),
)
"""
RENDERER = """
import numpy as np

def open_renderer(weights, source, *, prior, prepared, compiled):
    def render(motion, first, end):
        for row in range(first, end):
            share = 1 / (1 + np.abs(motion.angles[row]).sum())
            yield (source.picture * share).astype(np.uint8)
    return render
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the packages with one more renderer: its folder, and two changed lines of the table."""
    folder = tmp_path_factory.mktemp("copy")
    for package in ("facepipe", "stages"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "weights").symlink_to(ROOT / "weights")
    toy = folder / "facepipe" / "renderers" / "toy"
    toy.mkdir()
    (toy / "__init__.py").write_text(SPEC)
    (toy / "renderer.py").write_text(RENDERER)
    table = folder / "facepipe" / "renderers" / "__init__.py"
    text = table.read_text("utf-8")
    changed = text.replace("import bilayer, compact, mesh, pirender", "import bilayer, compact, mesh, pirender, toy")
    changed = changed.replace("bilayer.SPEC)", "bilayer.SPEC, toy.SPEC)")
    assert sum(a != b for a, b in zip(text.splitlines(), changed.splitlines(), strict=True)) == 2
    table.write_text(changed, "utf-8")
    return folder


def facepipe(copy: Path, *args: str | Path, cwd: Path) -> str:
    """Run the copy in a subprocess and return its output."""
    command = [sys.executable, "-c", "from facepipe.cli import main; main()", *map(str, args)]
    environment = {**os.environ, "PYTHONPATH": str(copy), "COLUMNS": "200"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_and_doctor_list_it(copy: Path, tmp_path: Path) -> None:
    assert "toy (the source, darker" in " ".join(facepipe(copy, "reenact", "--help", cwd=tmp_path).split())
    assert "toy       ready" in facepipe(copy, "doctor", cwd=tmp_path)


def test_a_batch_row_names_it(copy: Path, scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text(
        f"command,source,driver,renderer,size,output\nreenact,{scene.portrait},{scene.motion},toy,64,out.mp4\n"
    )
    facepipe(copy, "batch", "jobs.csv", "--jobs", "1", cwd=tmp_path)
    (made,) = tmp_path.rglob("out.mp4")
    assert json.loads(made.with_name("out.mp4.json").read_text("utf-8"))["options"]["renderer"] == "toy"


@pytest.mark.slow
def test_it_is_measured_and_evaluated(copy: Path, scene: Scene, tmp_path: Path) -> None:
    measured = facepipe(copy, "bench", "--clip", scene.driver, "--renderer", "toy", "--repeats", "1", cwd=tmp_path)
    assert "reenact, warm" in measured
    (tmp_path / "cases.csv").write_text(f"driver\n{scene.driver}\n")
    printed = facepipe(
        copy, "evaluate", "cases.csv", "--renderer", "toy", "--frames", "3", "--size", "64", cwd=tmp_path
    )
    assert "PSNR" in printed
