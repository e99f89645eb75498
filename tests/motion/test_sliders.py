"""Sliders: names, bounds, effect on coefficients, and presets."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepipe.errors import InputError, UsageError
from facepipe.face.cropping import SquareCrop
from facepipe.face.measures import MEASURES
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.pose import rotation_of
from facepipe.motion.editing import apply_edit, bounds_of
from facepipe.motion.presets import load_preset, save_preset
from facepipe.motion.sliders import CONTROLS, POSE_BOUNDS, SLIDERS, Edit, check_edit, read_bounds
from facepipe.spaces.coefficients import Coefficients
from facepipe.weights import find


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_face_model(find("face-model").path)


@pytest.fixture
def rest() -> Coefficients:
    return Coefficients(
        identity=np.zeros(80),
        expression=np.zeros((1, 64)),
        angles=np.array([[0.1, -0.2, 0.05]]),
        translation=np.array([[0.0, 0.1, -1.0]]),
        valid=np.ones(1, bool),
        residual=np.zeros(1),
        fps=Fraction(30),
        crop=SquareCrop(100, 100, 80),
        picture_size=(200, 200),
    )


def test_control_names_equal_those_of_the_model(model: FaceModel) -> None:
    assert tuple(model.controls) == CONTROLS == tuple(MEASURES)


def test_the_bounds_are_read_without_loading_the_model(model: FaceModel) -> None:
    bounds = read_bounds(find("face-model").path)
    assert bounds == bounds_of(model)
    assert tuple(bounds) == SLIDERS
    assert all(low < 0 < high or name == "zoom" for name, (low, high) in bounds.items())


def test_an_empty_edit_changes_nothing(rest: Coefficients, model: FaceModel) -> None:
    same = apply_edit(rest, Edit(), model)
    for name in ("expression", "angles", "translation"):
        np.testing.assert_array_equal(getattr(same, name), getattr(rest, name))


def test_each_slider_has_its_documented_effect(rest: Coefficients, model: FaceModel) -> None:
    moved = apply_edit(rest, Edit(values={"yaw": 20, "move_x": 0.5, "zoom": 2, "smile": 0.8}), model)
    turned = rotation_of(np.radians([[0, 20, 0]])) @ rotation_of(rest.angles)
    np.testing.assert_allclose(rotation_of(moved.angles), turned, atol=1e-12)
    np.testing.assert_allclose(moved.translation[0], [0.5 * np.exp(-1), 0.1, -1 + np.log(2)])
    np.testing.assert_allclose(moved.expression[0], 0.8 * model.controls["smile"].direction)


def test_a_sweep_makes_a_clip_of_one_frame_and_keeps_the_length_of_a_clip(rest: Coefficients, model: FaceModel) -> None:
    edit = Edit(values={"smile": 1}, sweeps={"move_x": (-1, 1)}, frames=5, fps="30000/1001")
    clip = apply_edit(rest, edit, model)
    assert (len(clip), clip.fps) == (5, Fraction(30000, 1001))
    np.testing.assert_allclose(clip.translation[:, 0], np.linspace(-1, 1, 5) * np.exp(-1))
    assert np.ptp(clip.expression, axis=0).max() == 0
    kept = apply_edit(replace(rest, fps=Fraction(25)).repeated(7), edit, model)
    assert (len(kept), kept.fps) == (7, Fraction(25))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit(values={"yaw": 61}), r"Slider yaw was set to 61, expected -60 to 60 degrees\."),
        (Edit(sweeps={"zoom": (1, 9)}), r"Slider zoom was set to 9, expected 0.3 to 3 times"),
        (Edit(values={"nose": 1}), r"Unknown slider 'nose'; sliders are yaw, pitch, .*gaze_up"),
    ],
)
def test_errors_name_the_slider_and_its_bounds(edit: Edit, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_edit(edit, read_bounds(find("face-model").path))


def test_presets_round_trip(tmp_path: Path) -> None:
    edit = Edit(values={"smile": 0.8, "yaw": -5.0}, sweeps={"pitch": (-10.0, 10.0)})
    save_preset(edit, tmp_path / "preset.json")
    assert load_preset(tmp_path / "preset.json") == edit
    assert set(json.loads((tmp_path / "preset.json").read_text())) == {"format", "version", "sliders", "sweeps"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "x"}, "is not a preset"),
        ({"version": 9}, "is a preset of version 9, but this facepipe reads version 1"),
        ({"sliders": {"nose": 1}}, "unknown slider 'nose'"),
        ({"sliders": {"yaw": "1"}}, "slider 'yaw' is '1', expected a number"),
        ({"sliders": {"yaw": True}}, "slider 'yaw' is True, expected a number"),
        ({"sweeps": {"yaw": 3}}, r"slider 'yaw' is 3, expected two numbers, \[from, to\]"),
        ({"sliders": []}, "'sliders' is .*, expected an object"),
        ({"sldrs": {}}, "'sldrs' is not a key of a preset"),
    ],
)
def test_invalid_presets_are_rejected_with_the_reason(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "preset.json"
    path.write_text(json.dumps({"format": "facepipe-preset", "version": 1, "sliders": {}, **changes}))
    with pytest.raises(InputError, match=message):
        load_preset(path)


def test_an_unknown_slider_of_a_sweep_is_named_once() -> None:
    """Both ends of the sweep have its name."""
    with pytest.raises(UsageError) as caught:
        check_edit(Edit(sweeps={"nope": (1, 2)}), POSE_BOUNDS)
    assert str(caught.value).count("Unknown slider") == 1
