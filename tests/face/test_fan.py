"""The 68-point landmarker, from stub checkpoints through the registry to the points, without a real network."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from typer.testing import CliRunner

from facepipe import weights
from facepipe.cli import app
from facepipe.errors import PrecheckError, ToolError, WeightsError
from facepipe.face import topology
from facepipe.face.cropping import SquareCrop
from facepipe.face.fan import FanLandmarker
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.pose import Similarity, rotation_of
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import perception_weights
from facepipe.weights.conversion import read_checkpoint

SIZE = 400
CROP = SquareCrop(200.0, 190.0, 220.0)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


class StubFan(nn.Module):
    """Returns heat maps with peaks at the positions of a buffer, for any picture."""

    places: Tensor

    def __init__(self, modules: int = 1) -> None:
        super().__init__()
        self.register_buffer("places", torch.zeros(68, 2))

    def forward(self, pictures: Tensor) -> list[Tensor]:
        assert pictures.shape[1:] == (3, 256, 256)
        maps = torch.zeros(len(pictures), 68, 64, 64)
        for index, (x, y) in enumerate(self.places.long().tolist()):
            maps[:, index, y, x] = 0.6
        return [maps]


class StubDepth(nn.Module):
    """Returns the depth of the 68 points from a buffer."""

    depth: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("depth", torch.zeros(68))

    def forward(self, stacked: Tensor) -> Tensor:
        assert stacked.shape[1:] == (3 + 68, 256, 256)
        return self.depth.expand(len(stacked), 68)


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_face_model(weights.find("face-model").path)


def rendered_face(model: FaceModel) -> NDArray[np.float64]:
    """Return the 68 points of the mean face, slightly turned, in pixels of the package's view; y down, z forward."""
    pose = Similarity(np.array([65.0]), rotation_of(np.array([[0.05, 0.2, 0.0]])), np.array([[128.0, 128.0, 0.0]]))
    return np.asarray(pose.apply(model.mean[model.sixty_eight][None])[0])


@pytest.fixture
def added(model: FaceModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NDArray[np.float64]:
    """Add checkpoints of the stubs through the command line, as a user adds the real ones; return the face."""
    models = pytest.importorskip("face_alignment.models")
    from face_alignment import utils

    # Uncompiled: the package does not cache its compiled functions, and compiling takes longer than all tests here.
    for name in ("transform_np", "_get_preds_fromhm"):
        monkeypatch.setattr(utils, name, getattr(utils, name).py_func)
    face = rendered_face(model)
    points, depth = StubFan(), StubDepth()
    points.places = torch.from_numpy(face[:, :2] / 4).round()
    depth.depth = torch.from_numpy(-face[:, 2]).float()  # the package's z grows towards the camera
    torch.save(points.state_dict(), tmp_path / "3DFAN4-7835d9f11d.pth.tar")
    wrapped = {f"module.{name}": value for name, value in depth.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": wrapped}, tmp_path / "depth-2a464da4ea.pth.tar")
    for name in ("fan-3d", "fan-depth"):
        file = tmp_path / weights.THIRD_PARTY[name].file
        result = CliRunner().invoke(app, ["weights", "add", name, str(file)])
        assert result.exit_code == 0, result.output
    monkeypatch.setattr(models, "FAN", StubFan)
    monkeypatch.setattr(models, "ResNetDepth", StubDepth)
    return face


def landmarker() -> FanLandmarker:
    return FanLandmarker(*(weights.find(name).path for name in ("fan-3d", "fan-depth", "face-model")))


def test_points_come_back_from_the_view_to_the_picture(added: NDArray[np.float64], model: FaceModel) -> None:
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    located = landmarker().locate([picture, picture], [CROP, CROP])
    assert located.points.shape == (2, 478, 3)
    assert located.points.dtype == np.float32
    np.testing.assert_allclose(located.score, [1, 1], rtol=1e-5)
    found = located.points[0][model.sixty_eight]
    # The stub returns the same points for every view, so the face is in the centre of the crop and scales with it.
    assert np.abs(found[:, :2].mean(0) - (CROP.center_x, CROP.center_y)).max() < 0.35 * CROP.side
    eyes = [topology.RIGHT_EYE_OUTER, topology.LEFT_EYE_OUTER]
    own, rendered = located.points[0][eyes], added[[36, 45]]
    ratio = np.linalg.norm(own[1, :2] - own[0, :2]) / np.linalg.norm(rendered[1, :2] - rendered[0, :2])
    spread = np.ptp(found[:, :2], axis=0) / np.ptp(added[:, :2], axis=0)
    np.testing.assert_allclose(spread, ratio, rtol=0.1)
    # The nose is in front of the jaw: z is smaller towards the camera, for either sign in the package.
    assert located.points[0][topology.NOSE_TIP, 2] < located.points[0][[234, 454], 2].min()


def test_a_turned_crop_turns_the_points(added: NDArray[np.float64]) -> None:
    picture, angle = np.zeros((SIZE, SIZE, 3), np.uint8), 0.5
    tilted = SquareCrop(CROP.center_x, CROP.center_y, CROP.side, angle)
    points = landmarker().locate([picture, picture], [CROP, tilted]).points
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (CROP.center_x, CROP.center_y)
    # Identity and expression of a batch are fitted together, so the two agree up to the package's rounding to pixels.
    assert np.abs((points[0, :, :2] - middle) @ turn.T - (points[1, :, :2] - middle)).max() < 4


def test_nothing_is_downloaded(added: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a download was started")

    monkeypatch.setattr("torch.hub.download_url_to_file", refuse)
    monkeypatch.setattr("face_alignment.api.load_file_from_url", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    landmarker()
    assert not (tmp_path / "hub").exists()


def test_the_registry_records_the_digest_of_the_given_file(added: NDArray[np.float64], tmp_path: Path) -> None:
    import hashlib

    entry = weights.lookup("fan-3d")
    given = hashlib.sha256((tmp_path / "3DFAN4-7835d9f11d.pth.tar").read_bytes()).hexdigest()
    assert f"sha256 {given}" in entry.source
    assert weights.find("fan-3d").sha256 == entry.sha256


def test_without_the_weights_the_error_says_where_they_are() -> None:
    with pytest.raises(PrecheckError) as caught:
        perception_weights(Options(landmarker="face-alignment"))
    for weight in (weights.THIRD_PARTY["fan-3d"], weights.THIRD_PARTY["fan-depth"]):
        assert weight.file in str(caught.value)
        assert weight.url in str(caught.value)


def test_a_damaged_weight_is_rejected(added: NDArray[np.float64], tmp_path: Path) -> None:
    file = tmp_path / "mine" / "fan-3d.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsError, match="expected sha256"):
        landmarker()


def test_another_network_in_the_file_is_rejected(added: NDArray[np.float64]) -> None:
    depth, face = weights.find("fan-depth").path, weights.find("face-model").path
    with pytest.raises(WeightsError, match="does not hold the network fan-3d"):
        FanLandmarker(depth, depth, face)


def test_without_the_package_the_error_names_the_extra(
    added: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "face_alignment", None)
    with pytest.raises(ToolError, match=r"facepipe\[face-alignment\]"):
        landmarker()
    monkeypatch.setattr("facepipe.pipeline.perception.find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"facepipe\[face-alignment\]"):
        perception_weights(Options(landmarker="face-alignment"))


class Malice:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo this ran",)


@pytest.mark.parametrize("content", [Malice(), {"state_dict": Malice()}, {"a": 1}, [torch.zeros(1)], {}])
def test_checkpoints_without_tensors_are_rejected(
    content: object, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    torch.save(content, tmp_path / "bad.pth.tar")
    with pytest.raises(WeightsError, match=r"bad\.pth\.tar"):
        read_checkpoint(tmp_path / "bad.pth.tar")
    assert "this ran" not in capfd.readouterr().out


def test_other_files_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "text.pth.tar").write_text("hello")
    for name in ("text.pth.tar", "missing.pth.tar"):
        result = CliRunner().invoke(app, ["weights", "add", "fan-3d", str(tmp_path / name)])
        assert result.exit_code == 3
        assert name in result.stderr
