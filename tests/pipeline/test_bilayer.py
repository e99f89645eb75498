"""The renderer `bilayer` in whole jobs, with tiny random networks in place of the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from facepipe.media.decode import decode_frames
from facepipe.media.image import read_image
from facepipe.media.probe import probe_video
from facepipe.renderers.bilayer.published import Bilayer
from tests.pipeline.scene import Scene, run
from tests.renderers.bilayer.small import OFFICIAL, add_bilayer

RENDERER = ("--renderer", "bilayer", "--weights", OFFICIAL, "--size", "64", "--background", "white")


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with the networks."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "weights"))
    add_bilayer(tmp_path)
    return tmp_path


def test_drivers_edits_and_voices_share_what_is_prepared(
    scene: Scene, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments, a second driver, sliders and a voice: the source is initialised once, and its matte made once."""
    initialised: list[int] = []
    initialise = Bilayer.initialise

    def counted(self: Bilayer, pictures: Tensor, *others: Tensor, enhance: bool) -> Any:
        initialised.append(len(pictures))
        return initialise(self, pictures, *others, enhance=enhance)

    monkeypatch.setattr(Bilayer, "initialise", counted)
    monkeypatch.setenv("FACEPIPE_WORK_SEGMENT_FRAMES", "12")
    common = (*RENDERER, "--work", mine / "work", "--json")
    commands = {
        "a.mp4": ("reenact", scene.portrait, scene.motion),
        "b.png": ("reenact", scene.portrait, scene.portrait),
        "c.png": ("edit", scene.portrait, "--yaw", "20"),
        "d.mp4": ("audio", scene.portrait, scene.driver),
    }
    labels: list[str] = []
    for name, command in commands.items():
        outcome = run(*command, "-o", mine / name, *common)
        assert outcome.exit_code == 0, outcome.stderr
        labels += outcome.made()
    assert initialised == [1]
    assert (labels.count("prepare source"), labels.count("matte source"), labels.count("fit source")) == (1, 1, 1)
    assert {"render 1", "render 2"} <= set(labels)
    assert probe_video(mine / "a.mp4").frame_count_estimate == 20
    first, *_, last = decode_frames(mine / "a.mp4", info=probe_video(mine / "a.mp4"))
    assert np.abs(first.astype(int) - last).max() > 10
    assert read_image(mine / "c.png").shape == (64, 64, 3)


def test_the_drivers_own_landmarks(scene: Scene, mine: Path) -> None:
    """They make another picture; a motion file without landmarks cannot give them."""
    common = ("--motion", "absolute", *RENDERER, "--work", scene.work)
    driver = ("reenact", scene.portrait, scene.driver)
    for rule in ("source", "driver"):
        outcome = run(*driver, "-o", mine / f"{rule}.mp4", *common, "--keypoints", rule)
        assert outcome.exit_code == 0, outcome.stderr
    made = [np.stack(list(decode_frames(mine / f"{rule}.mp4"))).astype(int) for rule in ("source", "driver")]
    assert np.abs(made[0] - made[1]).max() > 5
    refused = run("reenact", scene.portrait, scene.motion, "-o", mine / "x.mp4", *common, "--keypoints", "driver")
    assert refused.exit_code == 3
    assert "'linear478', but 'keypoints68' is needed here" in refused.stderr
    assert not (mine / "x.mp4").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--renderer", "bilayer"), "needs --motion absolute, but the motion is relative"),
        (("--renderer", "mesh", "--motion", "absolute"), "the motion space linear478 of this job has no landmarks"),
        (("--renderer", "bilayer", "--motion", "absolute", "--strength", "0.5"), "--strength is 0.5"),
        (("--renderer", "bilayer", "--motion", "absolute", "--only", "pose"), "--only pose"),
    ],
)
def test_driver_landmarks_that_cannot_be(options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    outcome = run("reenact", "a.png", "b.mp4", "-o", tmp_path / "x.mp4", "--keypoints", "driver", *options)
    assert outcome.exit_code == 2
    assert "--keypoints is driver" in outcome.stderr
    assert message in " ".join(outcome.stderr.split())


def test_missing_weights(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which files, where they are to be had, and how they come in; nothing is left behind."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "weights"))
    out = tmp_path / "x.mp4"
    selected = ("--renderer", "bilayer", "--weights", OFFICIAL, "--work", scene.work)
    outcome = run("reenact", scene.portrait, scene.motion, "-o", out, *selected)
    assert outcome.exit_code == 3
    assert OFFICIAL in outcome.stderr
    assert "saic-violet/bilayer-model" in outcome.stderr
    assert "facepipe weights add bilayer" in outcome.stderr
    assert not out.exists()


def test_the_embedded_network(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs nothing of the user; what it does not use is refused."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "weights"))
    command = ("edit", scene.portrait, "--yaw", "20", "-o", tmp_path / "a.png", "--work", scene.work)
    outcome = run(*command, "--renderer", "bilayer", "--background", "transparent")
    assert outcome.exit_code == 0, outcome.stderr
    alpha = np.asarray(Image.open(tmp_path / "a.png"))[..., 3]
    assert 0.1 < (alpha > 128).mean() < 0.95
    driven = ("reenact", scene.portrait, scene.driver, "--renderer", "bilayer", "-o", tmp_path / "x.mp4")
    for more in (("--source-picture", scene.portrait), ("--keypoints", "driver", "--motion", "absolute")):
        refused = run(*driven, *more, "--work", scene.work)
        assert refused.exit_code == 2
        assert f"{more[0]} is" in refused.stderr
        assert "the network bilayer-compact" in " ".join(refused.stderr.split())
    assert not (tmp_path / "x.mp4").exists()
