"""What draws where nothing is said: the embedded network, on top of the mesh renderer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facepipe.evaluate.pixels import psnr
from facepipe.media.decode import decode_frames
from facepipe.renderers.compact import renderer as compact_renderer
from tests.pipeline.compilation import compilations
from tests.pipeline.scene import Scene, run


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEPIPE_RENDER_RENDERER")


@pytest.mark.parametrize("size", ["256", "128"])
def test_the_embedded_network_draws_near_its_prior(scene: Scene, tmp_path: Path, size: str) -> None:
    """It mends what the mesh renderer draws, and does not draw somebody else."""
    common = ("reenact", scene.portrait, scene.motion, "--size", size)
    outs = {renderer: tmp_path / f"{renderer}.mp4" for renderer in ("default", "compact", "mesh")}
    scene.run(*common, "-o", outs["default"])
    for renderer in ("compact", "mesh"):
        scene.run(*common, "-o", outs[renderer], "--renderer", renderer)
    frames = {name: list(decode_frames(out)) for name, out in outs.items()}
    assert len(frames["default"]) == 20
    assert outs["default"].read_bytes() == outs["compact"].read_bytes()
    apart = [psnr(one, other) for one, other in zip(frames["compact"], frames["mesh"], strict=True)]
    assert 22 < np.mean(apart) < 45


def test_threads_do_not_change_a_byte(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        out = tmp_path / f"{threads}.mp4"
        scene.run("reenact", scene.portrait, scene.motion, "-o", out, "--work", tmp_path / threads)
        made.append(out.read_bytes())
    assert made[0] == made[1]


def test_it_can_be_compiled_and_the_result_stays_done(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = compilations(compact_renderer, monkeypatch)
    words = ("edit", scene.portrait, "--yaw", "9", "-o", tmp_path / "a.png", "--work", tmp_path / "work", "--json")
    assert "render" in {label.split()[0] for label in run(*words, "--compile").made()}
    assert compiled == ["CompactNet"]
    monkeypatch.setenv("FACEPIPE_RENDER_COMPILE", "true")
    assert run(*words).made() == run(*words, "--no-compile").made() == []
    run(*words, "--no-compile", "--force", "render")
    assert compiled == ["CompactNet"]


def test_an_edit_is_drawn_by_it_too(scene: Scene, tmp_path: Path) -> None:
    made = {}
    for name, flags in (("default", ()), ("compact", ("--renderer", "compact")), ("mesh", ("--renderer", "mesh"))):
        out = tmp_path / f"{name}.png"
        scene.run("edit", scene.portrait, "--smile", "0.8", "--jaw-open", "0.5", "-o", out, *flags)
        made[name] = out.read_bytes()
    assert made["default"] == made["compact"]
    assert made["default"] != made["mesh"]
