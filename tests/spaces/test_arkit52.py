"""The motion space `arkit52`: weights of face units, gazes, and what moves them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from facepipe import weights
from facepipe.avatar.units import UNITS
from facepipe.face import topology as at
from facepipe.face.expression_probes import probes_of
from facepipe.face.gaze import FULL_LOOK_RADIANS, LOOKING, gaze_of, gaze_of_looks, looks_of
from facepipe.face.pose import rotation_of
from facepipe.face.units import face_model_of
from facepipe.motion.drawing import interpolated_through
from facepipe.motion.editing import apply_edit
from facepipe.motion.sliders import CONTROLS, Edit
from facepipe.spaces import SPACES, arkit52, bfm, keypoints68, linear478
from facepipe.spaces.arkit52.coefficients import UnitCoefficients, resting, with_units
from facepipe.spaces.arkit52.fitting import explained, fitted, open_eyes, unit_fit
from facepipe.spaces.arkit52.motion import GAZE_RADIANS, SLIDERS
from facepipe.spaces.arkit52.solver import solve_bounded
from facepipe.spaces.coefficients import Coefficients, Floats
from facepipe.spaces.files import load_coefficients, save_coefficients
from facepipe.spaces.retargeting import Retargeting
from facepipe.spaces.smoothing import smoothed
from tests.spaces.test_retargeting import made

MODEL = face_model_of({name: weights.find(name).path for name in ("face-model", "face-units")})
ABSOLUTE = Retargeting(motion="absolute")
WEIGHTS_AND_GAZE = ("weights", "gaze")


def number(name: str) -> int:
    return UNITS.index(name)


def moving(seed: int, count: int) -> UnitCoefficients:
    """Return motion whose weights are far from 0 and 1, with the expressions that belong to others."""
    random = np.random.default_rng(seed)
    gaze = random.uniform(-0.3, 0.3, (count, 2, 2))
    return with_units(made(seed, count), random.uniform(0.1, 0.4, (count, len(UNITS))), gaze)


def at_rest(expression: Floats) -> UnitCoefficients:
    """Return the mean face with expressions (T, 64)."""
    return fitted(replace(resting(len(expression)), expression=expression), MODEL)


def posed_by(points: Floats) -> Floats:
    """Return the expressions (T, 64) nearest to displacements (T, 478, 3) of the points."""
    return np.linalg.lstsq(MODEL.expression.reshape(64, -1).T, points.reshape(len(points), -1).T, rcond=None)[0].T


def retarget(
    source: Coefficients, driving: Coefficients, how: Retargeting, *, no_face: str = "hold"
) -> UnitCoefficients:
    found = arkit52.SPACE.retarget(source, driving, how, MODEL, no_face=no_face)
    assert isinstance(found, UnitCoefficients)
    return found


SOURCE, DRIVING = moving(1, 1), moving(2, 12)


@pytest.mark.parametrize("seed", range(4))
def test_the_solver_finds_the_minimum_that_scipy_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    root, target = random.normal(size=(30, 9)), random.normal(0, 4, (30, 6))
    matrix = root.T @ root + 0.05 * np.eye(9)
    found = solve_bounded(matrix, (root.T @ target).T)
    whole = np.concatenate([root, np.sqrt(0.05) * np.eye(9)])
    for row, column in zip(found, target.T, strict=True):
        slow = lsq_linear(whole, np.concatenate([column, np.zeros(9)]), bounds=(0, 1), method="bvls", tol=1e-12).x
        np.testing.assert_allclose(row, slow, atol=1e-5)
    assert ((found == 0) | (found == 1)).any(), "no bound was active"


def test_the_fit_of_faces_is_that_of_scipy() -> None:
    fit, expression = unit_fit(MODEL), made(3, 6).expression
    root = np.linalg.cholesky(fit.matrix).T
    for row, side in zip(solve_bounded(fit.matrix, expression @ fit.sides), expression @ fit.sides, strict=True):
        slow = lsq_linear(root, np.linalg.solve(root.T, side), bounds=(0, 1), method="bvls", tol=1e-12).x
        np.testing.assert_allclose(row, slow, atol=1e-4)


def test_a_frame_does_not_depend_on_the_others() -> None:
    clip, eyes = made(4, 9), np.array([0.08, 0.09])
    whole = fitted(clip, MODEL, eyes)
    for frame in range(9):
        alone = fitted(clip.rows(frame, frame + 1), MODEL, eyes)
        for name in WEIGHTS_AND_GAZE:
            assert getattr(alone, name).tobytes() == getattr(whole, name)[frame : frame + 1].tobytes()


def test_a_face_at_rest_has_no_weights() -> None:
    assert fitted(resting(1), MODEL).weights.max() < 0.02


@pytest.mark.parametrize(
    "name",
    ["jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthPucker", "mouthFrownLeft", "browInnerUp", "browDownRight",
     "mouthLeft", "jawRight", "eyeBlinkLeft", "eyeBlinkRight"],
)  # fmt: skip
def test_a_unit_is_found_where_it_moves_the_points(name: str) -> None:
    """A face that one unit moves has a large weight of it, and of no unit of another part of the face."""
    found = at_rest(posed_by(0.7 * MODEL.units[[number(name)]])).weights[0]  # type: ignore[index]
    # Units of one side share some of their weight with the other side.
    rivals = [value for other, value in zip(UNITS, found, strict=True) if other[:4] != name[:4]]
    assert found[number(name)] > 0.25
    assert found[number(name)] > max(rivals)


def test_weights_explain_the_expressions_that_they_are_fitted_to() -> None:
    """Weights made by hand, as expressions, and fitted again."""
    weights_of = np.zeros((3, len(UNITS)))
    for row, name in enumerate(("jawOpen", "mouthPucker", "mouthSmileLeft")):
        weights_of[row, number(name)] = 0.6
    again = fitted(explained(replace(resting(3), weights=weights_of), MODEL), MODEL).weights
    assert [UNITS[k] for k in again.argmax(1)] == ["jawOpen", "mouthPucker", "mouthSmileLeft"]


def test_mirrored_faces_have_mirrored_weights() -> None:
    points = MODEL.expression_offsets(0.5 * made(5, 5).expression)
    mirrored = points[:, MODEL.mirror] * (-1, 1, 1)
    one, other = (at_rest(posed_by(shape)) for shape in (points, mirrored))
    swapped = [number(_other_side(name)) for name in UNITS]
    np.testing.assert_allclose(one.weights, other.weights[:, swapped], atol=0.06)
    np.testing.assert_allclose(one.gaze, other.gaze[:, ::-1] * (-1, 1), atol=0.03)


def _other_side(name: str) -> str:
    return name.replace("Left", "#").replace("Right", "Left").replace("#", "Right")


def test_lids_that_close_are_a_blink_and_a_wink_is_one_sided() -> None:
    probes = probes_of(MODEL)
    down = -probes.lids_offset
    both = np.linspace(0, 1, 6)[:, None] * (down @ probes.closing)
    blink = at_rest(both).weights[:, [number("eyeBlinkLeft"), number("eyeBlinkRight")]]
    assert blink[0].max() < 0.02
    assert blink[-1].min() == 1
    assert (np.diff(blink, axis=0) >= 0).all()
    wink = at_rest(down[0] * probes.closing[:1]).weights[0]
    assert wink[number("eyeBlinkLeft")] > 0.8
    assert wink[number("eyeBlinkRight")] < 0.4


def test_the_open_eye_is_the_widest_of_rest_and_clip() -> None:
    probes = probes_of(MODEL)
    wide = -0.3 * probes.lids_offset @ probes.closing
    clip = replace(resting(5), expression=np.tile(-wide, (5, 1)))
    np.testing.assert_allclose(open_eyes(clip, MODEL), -1.3 * probes.lids_offset, rtol=0.02)
    np.testing.assert_allclose(open_eyes(replace(clip, expression=-clip.expression), MODEL), -probes.lids_offset)
    assert fitted(clip, MODEL).weights[0, number("eyeWideLeft")] > 0.3
    assert fitted(clip, MODEL, open_eyes(clip, MODEL)).weights[0, number("eyeWideLeft")] == 0


def test_the_jaw_opens_with_the_mouth() -> None:
    probes = probes_of(MODEL)
    found = at_rest(np.linspace(0, 0.4, 9)[:, None] * probes.opening).weights
    opening = found[:, number("jawOpen")] - found[:, number("mouthClose")]
    assert (np.diff(opening) > 0).all()
    assert opening[-1] - opening[0] > 0.5


def test_eyes_look_where_the_irises_move() -> None:
    """To the subject's left the left eye looks out and the right eye in; down is down."""
    moved = np.zeros((2, at.POINT_COUNT, 3))
    for row, axis in enumerate((0, 1)):
        moved[row, [*at.LEFT_IRIS, *at.RIGHT_IRIS], axis] = 0.04
    aside, down = at_rest(posed_by(moved)).weights
    assert min(aside[number("eyeLookOutLeft")], aside[number("eyeLookInRight")]) > 0.2
    assert max(aside[number("eyeLookInLeft")], aside[number("eyeLookOutRight")]) == 0
    assert min(down[number("eyeLookDownLeft")], down[number("eyeLookDownRight")]) > 0.2


def test_units_that_look_agree_with_the_gaze() -> None:
    gaze = np.random.default_rng(0).uniform(-FULL_LOOK_RADIANS, FULL_LOOK_RADIANS, (20, 2, 2))
    np.testing.assert_allclose(gaze_of_looks(looks_of(gaze)), gaze, atol=1e-12)
    clip = with_units(resting(20), np.full((20, len(UNITS)), 2.0), gaze)
    np.testing.assert_array_equal(clip.weights[:, LOOKING], looks_of(gaze))
    assert clip.weights.max() == 1, "weights are clipped"
    np.testing.assert_allclose(gaze_of(np.zeros((1, 64)), MODEL), 0, atol=1e-12)


def test_the_rotation_is_that_of_the_angles() -> None:
    np.testing.assert_array_equal(DRIVING.rotation, rotation_of(DRIVING.angles))


def test_absolute_motion_has_the_drivers_weights() -> None:
    found = retarget(SOURCE, DRIVING, ABSOLUTE)
    for name in WEIGHTS_AND_GAZE:
        np.testing.assert_allclose(getattr(found, name), getattr(DRIVING, name))
    half = retarget(SOURCE, DRIVING, replace(ABSOLUTE, strength=0.5))
    np.testing.assert_allclose(half.gaze, DRIVING.gaze / 2)
    np.testing.assert_allclose(half.weights[:, number("jawOpen")], DRIVING.weights[:, number("jawOpen")] / 2)


def test_relative_motion_adds_to_the_source_and_the_head_moves_as_in_linear478() -> None:
    found = retarget(SOURCE, DRIVING, Retargeting(strength=0.5))
    jaw = number("jawOpen")
    np.testing.assert_allclose(found.weights[:, jaw], SOURCE.weights[0, jaw] + DRIVING.weights[:, jaw] / 2)
    np.testing.assert_allclose(found.gaze, SOURCE.gaze + DRIVING.gaze / 2)
    linear = linear478.SPACE.retarget(SOURCE, DRIVING, Retargeting(strength=0.5), MODEL)
    for name in ("angles", "translation", "expression"):
        np.testing.assert_array_equal(getattr(found, name), getattr(linear, name))


def test_only_the_pose_or_only_the_face_moves() -> None:
    pose = retarget(SOURCE, DRIVING, Retargeting(only="pose"))
    np.testing.assert_allclose(pose.weights, np.repeat(SOURCE.weights, 12, 0))
    face = retarget(SOURCE, DRIVING, Retargeting(only="expression", motion="absolute"))
    np.testing.assert_allclose(face.weights, DRIVING.weights)
    np.testing.assert_array_equal(face.angles, np.repeat(SOURCE.angles, 12, 0))


def test_frames_without_a_face() -> None:
    driving = replace(DRIVING, valid=np.arange(12) % 3 > 0)
    shown = retarget(SOURCE, driving, ABSOLUTE, no_face="source")
    for name in ("weights", "gaze", "angles", "expression"):
        np.testing.assert_allclose(getattr(shown, name)[::3], np.repeat(getattr(SOURCE, name), 4, 0))
    np.testing.assert_allclose(shown.weights[1::3], driving.weights[1::3])
    assert len(retarget(SOURCE, driving, ABSOLUTE, no_face="cut")) == 8


def test_a_driver_in_linear478_is_fitted() -> None:
    driving = made(6, 8)
    found = retarget(resting(1), driving, ABSOLUTE)
    np.testing.assert_allclose(found.weights, fitted(driving, MODEL, open_eyes(driving, MODEL)).weights)


def test_every_control_moves_its_units() -> None:
    assert set(SLIDERS) | {"gaze_left", "gaze_up"} == set(CONTROLS)
    assert {name for pair in SLIDERS.values() for units in pair for name in units} <= set(UNITS)
    blink = apply_edit(resting(1), Edit({"blink_left": 1.0, "smile": 0.5, "yaw": 20}), MODEL)
    assert isinstance(blink, UnitCoefficients)
    assert blink.weights[0, number("eyeBlinkLeft")] == 1
    assert blink.weights[0, number("eyeBlinkRight")] == 0
    np.testing.assert_allclose(blink.weights[0, number("mouthSmileRight")], 0.4)
    np.testing.assert_allclose(np.degrees(blink.angles[0]), (0, 20, 0), atol=1e-9)
    other = apply_edit(resting(1), Edit({"mouth_left": -1.0, "gaze_left": 1.0, "gaze_up": -0.5}), MODEL)
    assert isinstance(other, UnitCoefficients)
    assert other.weights[0, number("mouthRight")] > 0.5
    np.testing.assert_allclose(other.gaze[0], np.tile((-GAZE_RADIANS, 0.5 * GAZE_RADIANS), (2, 1)))
    assert other.weights[0, number("eyeLookOutLeft")] > 0.5


@pytest.mark.parametrize(
    ("slider", "unit"),
    [
        ("smile", "mouthSmileLeft"),
        ("jaw_open", "jawOpen"),
        ("pucker", "mouthPucker"),
        ("mouth_left", "mouthLeft"),
        ("brow_raise", "browInnerUp"),
        ("brow_frown", "browDownLeft"),
    ],
)
def test_sliders_have_the_direction_of_the_face_model(slider: str, unit: str) -> None:
    """A slider adds to a unit that the fit also finds where the slider moves the face in linear478."""
    assert unit in SLIDERS[slider][0]
    assert at_rest(MODEL.controls[slider].direction[None]).weights[0, number(unit)] > 0.1


def test_generated_motion_follows_its_expressions() -> None:
    """A voice or a random face changes the expression; the source's own weights stay below that."""
    moved = SOURCE.repeated(4).with_motion(
        SOURCE.expression + made(7, 4).expression / 2, np.zeros((4, 3)), np.zeros((4, 3))
    )
    found = arkit52.SPACE.follow(moved, SOURCE, MODEL)
    assert isinstance(found, UnitCoefficients)
    before, after = fitted(SOURCE, MODEL), fitted(moved, MODEL)
    expected = np.clip(SOURCE.weights + after.weights - before.weights, 0, 1)
    jaws = [number("jawOpen"), number("mouthSmileLeft"), number("eyeBlinkRight")]
    np.testing.assert_allclose(found.weights[:, jaws], expected[:, jaws])
    still = arkit52.SPACE.follow(SOURCE, SOURCE, MODEL)
    assert isinstance(still, UnitCoefficients)
    np.testing.assert_allclose(still.weights, SOURCE.weights)


def test_files_of_the_spaces_drive_each_other(tmp_path: Path) -> None:
    save_coefficients(DRIVING, tmp_path / "a.npz")
    same = load_coefficients(tmp_path / "a.npz", space=arkit52.SPACE)
    assert isinstance(same, UnitCoefficients)
    np.testing.assert_allclose(same.weights, DRIVING.weights, atol=1e-6)
    assert isinstance(load_coefficients(tmp_path / "a.npz"), UnitCoefficients)
    assert arkit52.SPACE.takes(linear478.SPACE, as_driver=True)
    assert not arkit52.SPACE.takes(linear478.SPACE)
    assert arkit52.SPACE.takes(keypoints68.SPACE, as_driver=True)
    assert keypoints68.SPACE.takes(arkit52.SPACE, as_driver=True)
    assert not bfm.SPACE.takes(arkit52.SPACE, as_driver=True)
    assert SPACES["arkit52"].is_linear


def test_smoothing_and_interpolation_stay_in_range() -> None:
    random = np.random.default_rng(8)
    noisy = replace(DRIVING, weights=np.round(random.uniform(size=(12, len(UNITS)))))
    soft = smoothed(noisy, "savitzky-golay")
    assert isinstance(soft, UnitCoefficients)
    assert soft.weights.min() >= 0
    assert soft.weights.max() <= 1
    np.testing.assert_array_equal(soft.weights[:, LOOKING], looks_of(soft.gaze))
    clip = interpolated_through(SOURCE, DRIVING.rows(0, 1), Edit(frames=9))
    assert isinstance(clip, UnitCoefficients)
    np.testing.assert_allclose(clip.weights[[0, -1]], [SOURCE.weights[0], DRIVING.weights[0]], atol=1e-12)
