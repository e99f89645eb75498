"""The basis `bfm` from files to coefficients, and what is said where it cannot be had; networks are small, random."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from facepipe import weights
from facepipe.checkpoint import save_network
from facepipe.face.bfm.alignment import align, cut_square
from facepipe.face.bfm.matlab import converted
from facepipe.face.bfm.network import Regressor
from facepipe.face.coefficients import BfmCoefficients, load_coefficients
from facepipe.face.cropping import sample, transform_points
from facepipe.face.model import load_face_model
from facepipe.face.track import load_track
from facepipe.media.decode import decode_frames
from facepipe.media.image import read_image
from facepipe.media.probe import probe_video
from facepipe.models.deep3d import CoefficientNetwork, Deep3dConfig
from tests.face.bfm.invented import invented_model
from tests.pipeline.scene import Scene, run


def add_deep3d(folder: Path) -> None:
    """Register a small network of the published form."""
    torch.manual_seed(0)
    net = CoefficientNetwork(Deep3dConfig(width=8, depths=(1, 1, 1, 1)))
    for layer in net.final_layers:
        torch.nn.init.normal_(layer.weight, 0, 0.1)  # type: ignore[arg-type]
    save_network(net, folder / "deep3d.safetensors", kind="deep3d")
    weights.add(folder / "deep3d.safetensors", name="deep3d", licence="", source="invented", basis="bfm")


def add_bfm(folder: Path) -> None:
    """Register an invented face model."""
    save_file(converted(invented_model()), folder / "bfm.safetensors", {"kind": "bfm"})
    weights.add(folder / "bfm.safetensors", name="bfm", licence="", source="invented", basis="bfm")


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of the user's weights."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    return tmp_path


def bfm_of(path: Path) -> BfmCoefficients:
    found = load_coefficients(path, basis="bfm")
    assert isinstance(found, BfmCoefficients)
    return found


def test_a_clip_gives_what_each_frame_alone_gives(scene: Scene, mine: Path) -> None:
    """Cropped to 256 by ffmpeg in one go, or frame by frame from whole pictures by OpenCV."""
    add_deep3d(mine)
    scene.run("coefficients", scene.driver, "-o", mine / "driver.npz", "--basis", "bfm")
    scene.run("crop", scene.driver, "-o", mine / "driver.mp4")
    found, file = bfm_of(mine / "driver.npz"), load_track(mine / "driver.track.npz")
    info, regressor = probe_video(scene.driver), Regressor(weights.find("deep3d").path)
    sixty_eight = load_face_model(weights.find("face-model").path).sixty_eight
    assert (len(found), found.fps) == (info.frame_count_estimate, info.fps)
    for index, frame in enumerate(decode_frames(scene.driver, info=info)):
        points = transform_points(file.track.points[index, sixty_eight].astype(float), file.crop.matrix(256))
        alignment = align(points[:, :2], (256, 256))
        np.testing.assert_allclose(found.crops[index, 0], alignment.scale, rtol=0.005)
        # The one map's edge of the crop is the other's middle of the first pixel.
        np.testing.assert_allclose(
            found.crops[index, 1:], [alignment.x - 0.5, alignment.y + 0.5], atol=0.02
        )
        row = regressor.estimate([cut_square(sample(frame, file.crop, 256), alignment)])[0]
        near = np.abs(row[80:144] - found.expression[index]).mean()
        assert near < 0.1 * np.abs(row[80:144]).mean()
    assert not found.residual.any()


def test_a_picture_gives_one_row(scene: Scene, mine: Path) -> None:
    """Aligned by its 68 points; the face model, where it is there, tells how well its own points lie on them."""
    add_deep3d(mine)
    scene.run("coefficients", scene.portrait, "-o", mine / "a.npz", "--basis", "bfm")
    add_bfm(mine)
    scene.run("coefficients", scene.portrait, "-o", mine / "b.npz", "--basis", "bfm")
    first, second = bfm_of(mine / "a.npz"), bfm_of(mine / "b.npz")
    np.testing.assert_array_equal(first.crops, second.crops)
    assert (len(first), float(first.residual[0])) == (1, 0.0)
    assert second.residual[0] > 0
    facts = [stage["facts"] for stage in json.loads((mine / "b.npz.json").read_text())["stages"]]
    assert facts[1]["reprojection_error"] == pytest.approx(float(second.residual[0]), abs=1e-4)
    height, width = read_image(scene.portrait).shape[:2]
    assert first.picture_size == (width, height)
    # A face that fills the crop as in VoxCeleb: the published coefficients were trained with such.
    assert 0.8 < first.crops[0, 0] < 1.6
    assert (np.abs(first.crops[0, 1:] - 128) < 40).all()


def test_the_same_again_is_kept(scene: Scene, mine: Path) -> None:
    """Nothing is made twice; the other basis shares the track."""
    add_deep3d(mine)
    command = ("coefficients", scene.driver, "-o", mine / "d.npz", "--basis", "bfm", "--json")
    scene.run(*command)
    assert scene.run(*command).made() == []
    other = scene.run("coefficients", scene.driver, "-o", mine / "f.npz", "--force", "coefficients", "--json")
    assert [label.split()[0] for label in other.made()] == ["fit"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ("coefficients", "{portrait}", "-o", "x.npz", "--basis", "bfm"),
            3,
            ("deep3d", "epoch_20.pth", "Deep3DFaceRecon"),
        ),
        (
            ("reenact", "{portrait}", "{driver}", "-o", "x.mp4", "--weights", "pirender-official"),
            3,
            ("epoch_20.pth", "weights add deep3d", "pirender-official", "RenYurui/PIRender", "weights add pirender"),
        ),
        (
            ("reenact", "{portrait}", "{driver}", "-o", "x.mp4", "--basis", "bfm", "--renderer", "mesh"),
            2,
            ("mesh", "bfm"),
        ),
        (("coefficients", "{portrait}", "-o", "x.npz", "--basis", "flame"), 2, ("'flame'", "facepipe, bfm")),
    ],
    ids=["no network", "no renderer", "mesh", "no such basis"],
)
def test_what_is_missing_is_said(
    arguments: tuple[str, ...], code: int, words: tuple[str, ...], scene: Scene, mine: Path
) -> None:
    """Which file, where it is to be had, how it comes in; nothing is left behind."""
    filled = [text.format(portrait=scene.portrait, driver=scene.driver) for text in arguments]
    outcome = run(*(str(mine / text) if text.startswith("x.") else text for text in filled), "--work", scene.work)
    assert outcome.exit_code == code, outcome.stderr
    assert all(word in outcome.stderr for word in words), outcome.stderr
    assert not list(mine.glob("x.*"))


def test_a_track_alone_has_no_pictures(scene: Scene, mine: Path) -> None:
    add_deep3d(mine)
    scene.run("crop", scene.portrait, "-o", mine / "a.png")
    outcome = run("coefficients", mine / "a.track.npz", "-o", mine / "x.npz", "--basis", "bfm", "--work", scene.work)
    assert outcome.exit_code in (2, 3)
    assert "a.track.npz" in outcome.stderr
    assert "give the picture or video itself" in outcome.stderr
