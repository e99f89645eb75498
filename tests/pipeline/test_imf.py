"""`--renderer imf` in the commands, with a small network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from facepipe.media.decode import decode_frames
from facepipe.media.image import read_image
from facepipe.spaces import imf_tokens
from facepipe.spaces.files import load_coefficients
from facepipe.spaces.imf_tokens.coefficients import TokenCoefficients
from tests.pipeline.scene import Scene, run
from tests.renderers.imf.small import NAME, registered

RENDERER = ("--renderer", "imf", "--weights", NAME)


@pytest.fixture
def network(mine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The registered file of a small network."""
    # `coefficients` and `motion` have no option for the network of the motion space.
    monkeypatch.setenv("FACEPIPE_RENDER_WEIGHTS", NAME)
    return registered(mine)


def tokens_in(path: Path) -> TokenCoefficients:
    """Read a motion file."""
    found = load_coefficients(path, space=imf_tokens.SPACE)
    assert isinstance(found, TokenCoefficients)
    return found


def frames_of(path: Path) -> np.ndarray:
    """Read a video."""
    return np.stack([*decode_frames(path)]).astype(float)


@pytest.mark.usefixtures("network")
def test_tokens_are_estimated_from_pixels_and_drive(scene: Scene, mine: Path) -> None:
    """The network implies renderer and space; source and motion may come from files of before."""
    scene.run("reenact", scene.portrait, scene.driver, "-o", mine / "direct.mp4", "--weights", NAME)
    scene.run("coefficients", scene.driver, "-o", mine / "driver.npz", "--space", "imf_tokens")
    driver = tokens_in(mine / "driver.npz")
    assert driver.tokens.std(0).min() > 0
    assert not driver.edits.any()
    scene.run("reenact", scene.portrait, mine / "driver.npz", "-o", mine / "filed.mp4", *RENDERER)
    np.testing.assert_array_equal(frames_of(mine / "filed.mp4"), frames_of(mine / "direct.mp4"))
    scene.run("motion", scene.portrait, mine / "driver.npz", "-o", mine / "moved.npz", "--space", "imf_tokens")
    scene.run("render", scene.portrait, mine / "moved.npz", "-o", mine / "rendered.mp4", *RENDERER)
    np.testing.assert_array_equal(frames_of(mine / "rendered.mp4"), frames_of(mine / "direct.mp4"))


@pytest.mark.usefixtures("network")
def test_motion_without_pixels_drives_by_the_map(scene: Scene, mine: Path) -> None:
    scene.run("reenact", scene.portrait, scene.motion, "-o", mine / "filed.mp4", *RENDERER)
    assert frames_of(mine / "filed.mp4").std(0).max() > 0
    speech = ("audio", scene.portrait, scene.driver, "-o", mine / "spoken.mp4", *RENDERER)
    scene.run(*speech)
    assert frames_of(mine / "spoken.mp4").std(0).max() > 0


@pytest.mark.usefixtures("network")
def test_sliders_edit_the_picture(scene: Scene, mine: Path) -> None:
    for name, values in {"still": ("--yaw", "0"), "turned": ("--yaw", "15")}.items():
        scene.run("edit", scene.portrait, *values, "-o", mine / f"{name}.png", *RENDERER)
    still, turned = (read_image(mine / f"{name}.png").astype(float) for name in ("still", "turned"))
    assert still.shape == (256, 256, 3)
    assert np.abs(still - turned).mean() > 0.1


@pytest.mark.usefixtures("network")
def test_the_source_is_prepared_once(scene: Scene, mine: Path) -> None:
    registered(mine, name="new", seed=2)
    new = ("--renderer", "imf", "--weights", "new", "--json")
    made = scene.run("reenact", scene.portrait, scene.motion, "-o", mine / "a.mp4", *new).made()
    assert "prepare source" in made
    again = scene.run("edit", scene.portrait, "--yaw", "5", "-o", mine / "b.png", *new).made()
    assert "prepare source" not in again
    record = json.loads((mine / "a.mp4.json").read_text("utf-8"))
    assert (record["options"]["space"], record["options"]["weights"]) == ("imf_tokens", "new")


@pytest.mark.usefixtures("network")
def test_a_network_without_a_map_says_what_it_cannot_do(scene: Scene, mine: Path) -> None:
    registered(mine, name="bare", psi=False)
    bare = ("--renderer", "imf", "--weights", "bare", "--work", scene.work)
    outcome = run("reenact", scene.portrait, scene.motion, "-o", mine / "b.mp4", *bare)
    assert outcome.exit_code != 0
    assert "no map from coefficients to tokens" in outcome.stderr
    assert not (mine / "b.mp4").exists()


@pytest.mark.usefixtures("network")
def test_motion_of_another_network_is_refused(scene: Scene, mine: Path) -> None:
    scene.run("coefficients", scene.driver, "-o", mine / "driver.npz", "--space", "imf_tokens")
    registered(mine, name="other", seed=1)
    command = ("reenact", scene.portrait, mine / "driver.npz", "-o", mine / "x.mp4", "--work", scene.work)
    outcome = run(*command, "--renderer", "imf", "--weights", "other")
    assert outcome.exit_code != 0
    assert "the driver's tokens are of the network" in outcome.stderr
    assert not (mine / "x.mp4").exists()


def test_the_size_is_that_of_the_space(scene: Scene, network: Path, mine: Path) -> None:
    del network
    outcome = run("reenact", scene.portrait, scene.driver, "-o", mine / "x.mp4", *RENDERER, "--size", "512")
    assert outcome.exit_code != 0
    assert "is defined on crops of 256 pixels" in outcome.stderr
