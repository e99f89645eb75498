"""A renderer is a folder and two lines: a toy renderer, added to a copy of the package, works in every command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pipeline.scene import ROOT, Scene, ffmpeg, in_one_process

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
    """Return a copy of the packages with one more renderer: its folder, and two changed lines of the table.

    It includes `__pycache__`, so that numba need not compile for the copy.
    """
    folder = tmp_path_factory.mktemp("copy")
    for package in ("facepipe", "stages"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("*.tmp*"))
    (folder / "weights").symlink_to(ROOT / "weights")
    toy = folder / "facepipe" / "renderers" / "toy"
    toy.mkdir()
    (toy / "__init__.py").write_text(SPEC)
    (toy / "renderer.py").write_text(RENDERER)
    table = folder / "facepipe" / "renderers" / "__init__.py"
    text = table.read_text("utf-8")
    table_line = "import avatar, bilayer, compact, imf, mesh, pirender"
    changed = text.replace(table_line, f"{table_line}, toy")
    changed = changed.replace("avatar.SPEC)", "avatar.SPEC, toy.SPEC)")
    assert sum(a != b for a, b in zip(text.splitlines(), changed.splitlines(), strict=True)) == 2
    table.write_text(changed, "utf-8")
    return folder


@dataclass(frozen=True)
class Ran:
    """What commands of the copy printed, and the folder in which they ran."""

    printed: str
    folder: Path


# `facepipe bench` measures commands in new processes. Here they run in its own, because only their end counts.
WITHOUT_PROCESSES = """
import os
from facepipe.bench import program, whole
from facepipe.bench.metric import Timing

def run_program(args, *, folder, environment=None):
    from facepipe.cli import app
    before = os.getcwd()
    os.chdir(folder)
    assert not app(list(args), standalone_mode=False)
    os.chdir(before)
    return program.Run(Timing(1.0, 1.0), 1)

whole.run_program = run_program
"""


@pytest.fixture(scope="module")
def ran(copy: Path, scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run all commands in one process: starting one takes longer than most of them."""
    folder = tmp_path_factory.mktemp("ran")
    (folder / "jobs.csv").write_text(
        f"command,source,driver,renderer,size,output\nreenact,{scene.portrait},{scene.motion},toy,64,out.mp4\n"
    )
    ffmpeg("-i", scene.driver, "-frames:v", "6", folder / "clip.mp4")
    (folder / "cases.csv").write_text("driver\nclip.mp4\n")
    python, option, code, *commands = in_one_process(
        ["reenact", "--help"],
        ["doctor"],
        ["batch", "jobs.csv", "--jobs", "1"],
        ["bench", "--clip", "clip.mp4", "--renderer", "toy", "--repeats", "1"],
        ["evaluate", "cases.csv", "--renderer", "toy", "--frames", "3", "--size", "64"],
    )
    argv = [python, option, WITHOUT_PROCESSES + code, *commands]
    environment = {**os.environ, "PYTHONPATH": str(copy), "COLUMNS": "200"}
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Ran(done.stdout, folder)


@pytest.mark.slow
def test_help_and_doctor_list_it(ran: Ran) -> None:
    assert "toy (the source, darker" in " ".join(ran.printed.split())
    assert "toy       ready" in ran.printed


@pytest.mark.slow
def test_a_batch_row_names_it(ran: Ran) -> None:
    record = json.loads((ran.folder / "out.mp4.json").read_text("utf-8"))
    assert record["options"]["renderer"] == "toy"


@pytest.mark.slow
def test_it_is_measured_and_evaluated(ran: Ran) -> None:
    assert "reenact, warm" in ran.printed
    assert "PSNR" in ran.printed
