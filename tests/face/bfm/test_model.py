"""The face model against stored outputs of Deep3DFaceRecon for a synthetic model, and its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file
from scipy.io import savemat

from facepipe.errors import WeightsError
from facepipe.face.bfm.layout import COUNT, GROUPS, split
from facepipe.face.bfm.matlab import KEYS, converted, read_model
from facepipe.face.bfm.model import KIND, BfmModel, harmonics, load_bfm, project, turn
from facepipe.face.pose import rotation_of
from tests.face.bfm.invented import invented_model
from tests.fixtures import load_fixture

Arrays = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def stored() -> Arrays:
    return {name: tensor.numpy() for name, tensor in load_fixture("bfm_synthetic")[0].items()}


@pytest.fixture(scope="module")
def model(stored: Arrays) -> BfmModel:
    return BfmModel(**converted({name: stored[f"model.{name}"] for name in KEYS}))


def test_geometry_is_reproduced(stored: Arrays, model: BfmModel) -> None:
    """Vertices agree to 1e-4, landmarks to 1e-2 pixels."""
    row = split(stored["input.coeff"])
    np.testing.assert_allclose(model.shape(row), stored["output.shape_object"], atol=1e-4)
    np.testing.assert_allclose(
        rotation_of(row.angles).transpose(0, 2, 1), stored["output.rotation_rightmul"], atol=1e-6
    )
    # The stored vertices are in camera coordinates: z is the distance from the camera.
    camera = model.placed(row) * (1, 1, -1) + (0, 0, 10)
    np.testing.assert_allclose(camera, stored["output.vertex_camera"], atol=1e-4)
    np.testing.assert_allclose(model.landmarks(row), stored["output.landmarks_yup"], atol=1e-2)


def test_colours_are_reproduced(stored: Arrays, model: BfmModel) -> None:
    """Texture, normals and lit colours agree to 1e-4."""
    row = split(stored["input.coeff"])
    np.testing.assert_allclose(model.albedo(row), stored["output.texture"], atol=1e-4)
    np.testing.assert_allclose(model.normals(model.shape(row)), stored["output.vertex_normal_object"], atol=1e-4)
    np.testing.assert_allclose(model.colours(row), stored["output.color"], atol=1e-4)


def test_the_model_of_keypoints_gives_the_same_landmarks(model: BfmModel) -> None:
    """Landmarks of a clip do not need the entire surface."""
    row = split(np.random.default_rng(0).normal(size=(4, COUNT)))
    np.testing.assert_allclose(model.of_keypoints().landmarks(row), model.landmarks(row), rtol=1e-6)


def test_the_groups_fill_the_257() -> None:
    """Groups have the published order without gaps; joining inverts splitting."""
    edges = [edge for where in GROUPS.values() for edge in (where.start, where.stop)]
    assert edges == [0, 80, 80, 144, 144, 224, 224, 227, 227, 254, 254, COUNT]
    numbers = np.arange(2.0 * COUNT).reshape(2, COUNT)
    np.testing.assert_array_equal(split(numbers).joined(), numbers)
    with pytest.raises(ValueError, match="257"):
        split(numbers[:, :73])


@pytest.mark.parametrize(
    ("angles", "direction"),
    [((0.1, 0, 0), (0, -1)), ((0, 0.1, 0), (1, 0)), ((0, 0, 0.0), (0, 0))],
    ids=["pitch looks down", "yaw turns to the right", "rest"],
)
def test_angles_turn_the_nose_in_the_documented_direction(
    angles: tuple[float, float, float], direction: tuple[int, int]
) -> None:
    """A point in front of the face moves in the given direction of the square, y up."""
    nose = project(turn(np.array([[[0.0, 0.0, 1.0]]]), np.array([angles])))[0, 0] - 112
    assert tuple(np.sign(np.round(nose, 6))) == direction


def test_harmonics_are_orthogonal() -> None:
    """Harmonics are orthogonal over the sphere, and the constant one is weighted by the cosine lobe's pi."""
    count = 40_000
    index = np.arange(count) + 0.5
    height, angle = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index
    ring = np.sqrt(1 - height**2)
    values = harmonics(np.stack([ring * np.cos(angle), ring * np.sin(angle), height], axis=1))
    products = values.T @ values * 4 * np.pi / count
    bands = np.diag(products)
    np.testing.assert_allclose(products - np.diag(bands), 0, atol=0.05)
    np.testing.assert_allclose(bands[0], np.pi**2, rtol=1e-3)


def test_a_mat_file_survives_the_round_trip(tmp_path: Path, stored: Arrays, model: BfmModel) -> None:
    """Arrays are unchanged by scipy's writer, our reader and a safetensors file."""
    savemat(tmp_path / "BFM_model_front.mat", {name: stored[f"model.{name}"] for name in KEYS} | {"more": 1})
    save_file(read_model(tmp_path / "BFM_model_front.mat"), tmp_path / "bfm.safetensors", {"kind": KIND})
    again = load_bfm(tmp_path / "bfm.safetensors")
    for name, array in vars(model).items():
        np.testing.assert_array_equal(getattr(again, name), array)


def broken(change: str) -> Arrays:
    """Return a synthetic model with one error."""
    arrays = invented_model()
    if change == "short":
        arrays["idBase"] = arrays["idBase"][:-3]
    elif change == "beyond":
        arrays["tri"] = arrays["tri"] + 1000
    elif change == "zero":
        arrays["keypoints"] = arrays["keypoints"] * 0
    elif change == "nan":
        arrays["exBase"] = arrays["exBase"] * np.nan
    elif change == "2009":
        arrays = {"shapePC": np.zeros((3, 3)), "shapeMU": np.zeros(3)}
    elif change == "text":
        arrays["meantex"] = np.array(["a"])
    else:
        del arrays[change]
    return arrays


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("short", "idBase .* expected"),
        ("beyond", "tri has indices out of range"),
        ("zero", "keypoints has indices out of range"),
        ("nan", "exBase .* not finite"),
        ("2009", "Basel Face Model of 2009 itself .* lacks meanshape"),
        ("text", "meantex"),
        ("point_buf", "lacks point_buf"),
    ],
)
def test_another_mat_file_is_rejected(tmp_path: Path, change: str, message: str) -> None:
    """The error names the wrong array or the related file."""
    savemat(tmp_path / "m.mat", broken(change))
    with pytest.raises(WeightsError, match=message):
        read_model(tmp_path / "m.mat")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x04K\x01.", b"MATLAB 5.0 MAT-file" + bytes(400)])
def test_other_formats_are_rejected(tmp_path: Path, content: bytes) -> None:
    """Other formats raise a WeightsError that names the file."""
    (tmp_path / "m.mat").write_bytes(content)
    with pytest.raises(WeightsError, match=r"m\.mat"):
        read_model(tmp_path / "m.mat")


def test_a_damaged_mat_file_is_rejected(tmp_path: Path) -> None:
    """A truncated file and one with changed bytes raise a WeightsError."""
    savemat(tmp_path / "m.mat", invented_model(), do_compression=True)
    whole = (tmp_path / "m.mat").read_bytes()
    for content in (whole[: len(whole) // 2], whole[:3000] + bytes(200) + whole[3200:]):
        (tmp_path / "m.mat").write_bytes(content)
        with pytest.raises(WeightsError, match=r"m\.mat"):
            read_model(tmp_path / "m.mat")


def test_another_safetensors_file_is_rejected(tmp_path: Path) -> None:
    """The error names the kind of the file."""
    save_file({"a": np.zeros(3)}, tmp_path / "x.safetensors", {"kind": "landmarker"})
    with pytest.raises(WeightsError, match="'landmarker'"):
        load_bfm(tmp_path / "x.safetensors")
