"""Coefficient files, and what coefficients say of a picture."""

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
    """Write the file anew with parts of its header or whole arrays changed; None takes them away."""
    with np.load(path) as file:
        content = {name: file[name] for name in file.files}
    said = json.loads(content["header"].tobytes()) | (header or {})
    said = {key: value for key, value in said.items() if value is not None}
    content["header"] = np.frombuffer(json.dumps(said).encode(), np.uint8)
    content.update(arrays)
    np.savez(path, **{name: value for name, value in content.items() if value is not None})


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    """All arrays to float32 precision, rates and places exactly; the header speaks for itself."""
    save_coefficients(made(), tmp_path / "a.npz")
    back, header = load_coefficients(tmp_path / "a.npz"), read_header(tmp_path / "a.npz")
    for name in linear478.SPACE.arrays:
        np.testing.assert_allclose(getattr(back, name), getattr(made(), name), rtol=1e-6)
    assert (back.fps, back.crop, back.picture_size) == (made().fps, made().crop, made().picture_size)
    assert (header["frame_count"], header["valid_frames"], header["fps"]) == (5, 4, "30000/1001")
    assert (header["format"], header["version"], header["space"]) == (FORMAT, VERSION, "linear478")


def test_the_same_content_has_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No clock gets into a file, and loading and saving again changes nothing."""
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
def test_what_is_not_right_is_refused(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Foreign, later, contradictory and spoiled files each end in an InputError that says what is wrong."""
    path = tmp_path / "bad.npz"
    save_coefficients(made(), path)
    rewrite(path, **change)
    with pytest.raises(InputError, match=message) as caught:
        load_coefficients(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("header", [b"[]", b"3", b"\xff\xfe", b"{", b"null"])
def test_a_header_that_is_none_is_refused(header: bytes, tmp_path: Path) -> None:
    """Whatever bytes the header holds, no other exception comes through."""
    save_coefficients(made(), tmp_path / "bad.npz")
    rewrite(tmp_path / "bad.npz")
    with np.load(tmp_path / "bad.npz") as file:
        content = {name: file[name] for name in file.files}
    np.savez(tmp_path / "bad.npz", **content | {"header": np.frombuffer(header, np.uint8)})
    with pytest.raises(InputError):
        load_coefficients(tmp_path / "bad.npz")


def test_no_pickle_is_opened(tmp_path: Path) -> None:
    """An array of objects could run anything; it is refused before it is unpacked."""

    class Malice:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "ran",)

    path = tmp_path / "bad.npz"
    save_coefficients(made(), path)
    rewrite(path, header=None, residual=np.array([Malice()] * 5, object))
    with pytest.raises(InputError):
        load_coefficients(path)
    assert not (tmp_path / "ran").exists()


def test_damage_anywhere_is_an_input_error(tmp_path: Path) -> None:
    """Cut short at any length, or with any byte changed, a file is refused or read unharmed, never a crash."""
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


def test_what_is_missing_or_a_directory_is_an_input_error(tmp_path: Path) -> None:
    """So are files that are not there, and folders."""
    for path in (tmp_path / "missing.npz", tmp_path):
        with pytest.raises(InputError, match=path.name):
            load_coefficients(path)


def test_frames_can_be_taken_and_repeated() -> None:
    """Rows, repetitions and omissions keep frames with all that belongs to them."""
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
def test_coefficients_draw_the_fit_into_the_crop(angle: float, size: int) -> None:
    """The model in the coefficients' pose lies where the crop shows the fitted points, also in a turned crop."""
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
def test_the_same_faces_relative_to_another_crop(angle: float) -> None:
    """As the fit itself would be expressed relative to it."""
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
