"""Motion files, and coefficients relative to pictures and crops."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepipe.errors import InputError
from facepipe.face.cropping import SquareCrop, transform_points
from facepipe.face.fitting import fit
from facepipe.face.pose import Similarity, rotation_of
from facepipe.spaces import linear478
from facepipe.spaces.coefficients import Coefficients, from_fit
from facepipe.spaces.files import FORMAT, VERSION, load_coefficients, read_header, save_coefficients
from tests.face.faces import face_model


def made(count: int = 5) -> Coefficients:
    random = np.random.default_rng(0)
    return Coefficients(
        identity=random.normal(size=80),
        expression=random.normal(size=(count, 64)),
        angles=random.normal(0, 0.3, (count, 3)),
        translation=random.normal(0, 0.3, (count, 3)),
        valid=np.arange(count) != 1,
        residual=random.uniform(0, 0.02, count),
        fps=Fraction(30000, 1001),
        crop=SquareCrop(210.5, 99.25, 300.0, 0.125),
        picture_size=(640, 360),
    )


def rewrite(path: Path, *, header: dict[str, Any] | None = None, **arrays: Any) -> None:
    """Rewrite the file with header entries or arrays replaced; None removes them."""
    with np.load(path) as file:
        content = {name: file[name] for name in file.files}
    entries = json.loads(content["header"].tobytes()) | (header or {})
    entries = {key: value for key, value in entries.items() if value is not None}
    content["header"] = np.frombuffer(json.dumps(entries).encode(), np.uint8)
    content.update(arrays)
    np.savez(path, **{name: value for name, value in content.items() if value is not None})


def test_files_round_trip(tmp_path: Path) -> None:
    """Arrays in float32 precision; rate, crop and size exactly; the header has the documented entries."""
    save_coefficients(made(), tmp_path / "a.npz")
    back, header = load_coefficients(tmp_path / "a.npz"), read_header(tmp_path / "a.npz")
    for name in linear478.SPACE.arrays:
        np.testing.assert_allclose(getattr(back, name), getattr(made(), name), rtol=1e-6)
    assert (back.fps, back.crop, back.picture_size) == (made().fps, made().crop, made().picture_size)
    assert (header["frame_count"], header["valid_frames"], header["fps"]) == (5, 4, "30000/1001")
    assert (header["format"], header["version"], header["space"]) == (FORMAT, VERSION, "linear478")


def test_equal_content_gives_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files contain no time stamp, and loading and saving again changes nothing."""
    save_coefficients(made(), tmp_path / "a.npz")
    monkeypatch.setattr("time.time", lambda: 2e9)
    save_coefficients(made(), tmp_path / "b.npz")
    save_coefficients(load_coefficients(tmp_path / "a.npz"), tmp_path / "c.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes() == (tmp_path / "c.npz").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"header": {"format": "something"}}, "another format"),
        ({"header": {"version": VERSION + 1}}, f"version {VERSION + 1}"),
        ({"header": {"space": "flame"}}, "'flame', but 'linear478' is needed"),
        ({"header": {"frame_count": 4}}, "expected shape"),
        ({"header": {"valid_frames": 5}}, "valid"),
        ({"header": {"fps": "0"}}, "rate"),
        ({"header": {"fps": "1/0"}}, "damaged"),
        ({"header": {"crop": None}}, "lacks 'crop'"),
        ({"header": {"crop": {"center_x": 1, "center_y": 1, "side": -1, "angle_radians": 0}}}, "not a square"),
        ({"expression": np.zeros((5, 63), np.float32)}, "expected shape"),
        ({"expression": np.full((5, 64), np.nan, np.float32)}, "not finite"),
        ({"valid": np.ones(5, np.float32)}, "valid is float32"),
        ({"valid": np.zeros(5, bool)}, "0 frames are valid"),
        ({"angles": None}, "damaged"),
        ({"header": None, "identity": np.array([{}] * 80, object)}, "damaged"),
    ],
)
def test_invalid_files_are_rejected(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Files of other formats or later versions, and inconsistent or damaged files, raise InputError with the reason."""
    path = tmp_path / "bad.npz"
    save_coefficients(made(), path)
    rewrite(path, **change)
    with pytest.raises(InputError, match=message) as caught:
        load_coefficients(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("header", [b"[]", b"3", b"\xff\xfe", b"{", b"null"])
def test_invalid_headers_are_rejected(header: bytes, tmp_path: Path) -> None:
    """Any bytes in the header raise InputError and no other exception."""
    save_coefficients(made(), tmp_path / "bad.npz")
    rewrite(tmp_path / "bad.npz")
    with np.load(tmp_path / "bad.npz") as file:
        content = {name: file[name] for name in file.files}
    np.savez(tmp_path / "bad.npz", **content | {"header": np.frombuffer(header, np.uint8)})
    with pytest.raises(InputError):
        load_coefficients(tmp_path / "bad.npz")


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    """Unpickling an array of objects can run any code, so it is rejected before that."""

    class Malice:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "ran",)

    path = tmp_path / "bad.npz"
    save_coefficients(made(), path)
    rewrite(path, header=None, residual=np.array([Malice()] * 5, object))
    with pytest.raises(InputError):
        load_coefficients(path)
    assert not (tmp_path / "ran").exists()


def test_damage_at_any_position_raises_input_error(tmp_path: Path) -> None:
    """A file truncated anywhere, or with any byte changed, is rejected or read with correct values."""
    path = tmp_path / "a.npz"
    save_coefficients(made(), path)
    whole, random = path.read_bytes(), np.random.default_rng(0)
    for length in random.integers(0, len(whole), 40).tolist():
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            load_coefficients(path)
    for place in random.integers(0, len(whole), 150).tolist():
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            back = load_coefficients(path)
        except InputError:
            continue
        np.testing.assert_allclose(back.expression, made().expression, rtol=1e-6)


def test_missing_files_and_directories_raise_input_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.npz", tmp_path):
        with pytest.raises(InputError, match=path.name):
            load_coefficients(path)


def test_frames_can_be_selected_and_repeated() -> None:
    """Slices, repetitions and omissions apply to every per-frame array."""
    whole = made()
    part = whole.rows(1, 99)
    assert len(part) == 4
    np.testing.assert_array_equal(part.valid, whole.valid[1:])
    np.testing.assert_array_equal(part.angles, whole.angles[1:])
    np.testing.assert_array_equal(whole.repeated(3).expression, whole.expression[[0, 0, 0]])
    np.testing.assert_array_equal(whole.without(~whole.valid).residual, whole.residual[[0, 2, 3, 4]])
    moved = whole.with_motion(whole.expression * 2, whole.angles, whole.translation)
    assert replace(moved, expression=whole.expression) == whole or (moved.valid == whole.valid).all()


@pytest.mark.parametrize("angle", [0.0, 0.4])
@pytest.mark.parametrize("size", [128, 512])
def test_coefficients_place_the_fit_in_the_crop(angle: float, size: int) -> None:
    """The model in the coefficients' pose coincides with the fitted points in the crop, also for a rotated crop."""
    model, random = face_model(), np.random.default_rng(1)
    pose = Similarity(
        np.array([60.0, 70, 66]), rotation_of(random.normal(0, 0.3, (3, 3))), random.normal((300, 200, 0), 20, (3, 3))
    )
    shapes = model.shape(random.normal(size=80), random.normal(size=(3, 64)))
    crop, valid = SquareCrop(290, 210, 260, angle), np.ones(3, bool)
    fitted = fit(model, pose.apply(shapes), valid)
    found = from_fit(fitted, valid, fps=Fraction(25), crop=crop, picture_size=(640, 480))
    expected = transform_points(fitted.pose.apply(shapes), crop.matrix(size))
    np.testing.assert_allclose(found.pose(size).apply(shapes)[..., :2], expected[..., :2], atol=1e-6)
    depth = found.pose(size).apply(shapes)[..., 2] - expected[..., 2]
    np.testing.assert_allclose(depth - depth.mean(1, keepdims=True), 0, atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.4])
def test_relative_to_another_crop(angle: float) -> None:
    """Equal to expressing the fit relative to that crop."""
    model, random = face_model(), np.random.default_rng(2)
    pose = Similarity(
        np.array([60.0, 70, 66]), rotation_of(random.normal(0, 0.3, (3, 3))), random.normal((300, 200, 0), 20, (3, 3))
    )
    valid, other = np.ones(3, bool), SquareCrop(331.5, 180.25, 412, angle)
    fitted = fit(model, pose.apply(model.shape(np.zeros(80), random.normal(size=(3, 64)))), valid)

    def relative(crop: SquareCrop) -> Coefficients:
        return from_fit(fitted, valid, fps=Fraction(25), crop=crop, picture_size=(640, 480))

    moved, wanted = relative(SquareCrop(290, 210, 260, angle)).relative_to(other), relative(other)
    assert moved.crop == other
    for name in linear478.SPACE.arrays:
        np.testing.assert_allclose(getattr(moved, name), getattr(wanted, name), atol=1e-12, err_msg=name)
    with pytest.raises(AssertionError, match="angle"):
        moved.relative_to(replace(other, angle_radians=angle + 0.1))
