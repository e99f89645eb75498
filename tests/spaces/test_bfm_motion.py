"""Motion in the space `bfm`: published crop rules, relative motion and head sliders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facepipe.errors import UsageError
from facepipe.face.bfm.alignment import STANDARD, Alignment
from facepipe.face.pose import rotation_of
from facepipe.motion.drawing import interpolated_through
from facepipe.motion.editing import apply_edit
from facepipe.motion.sliders import Draw, Edit
from facepipe.spaces.bfm.coefficients import BfmCoefficients
from facepipe.spaces.bfm.descriptor import rows_of_257, windows
from facepipe.spaces.retargeting import Retargeting
from facepipe.weights import find
from tests.fixtures import load_fixture
from tests.spaces.test_bfm import some

SOURCE, DRIVING = some(3), replace(some(6), crops=np.abs(some(6).crops) + 1, shot=np.zeros(6, np.int32))
MOTION = ("expression", "angles", "translation", "crops")


def model() -> Any:
    from facepipe.face.model import load_face_model

    return load_face_model(find("face-model").path)


def retarget(
    source: BfmCoefficients, driving: BfmCoefficients, how: Retargeting, *, no_face: str = "hold"
) -> BfmCoefficients:
    made = source.space.retarget(source, driving, how, model(), no_face=no_face)
    assert isinstance(made, BfmCoefficients)
    return made


def of_260(stored: np.ndarray) -> BfmCoefficients:
    """Return coefficients from rows of 260 numbers: 257 coefficients and the alignment."""
    rows = rows_of_257(stored[:, :257], stored[:, 257:])
    named: dict[str, Any] = {
        "expression": rows[:, :64],
        "angles": rows[:, 64:67],
        "translation": rows[:, 67:70],
        "crops": rows[:, 70:],
    }
    return replace(some(len(rows)), **named, valid=np.ones(len(rows), bool))


def test_absolute_motion_equals_the_published_windows() -> None:
    """The scale rules adapt and driver give the windows of the fixture for two people and for one."""
    stored = {name: tensor.numpy() for name, tensor in load_fixture("pirender_descriptor")[0].items()}
    source, driving = of_260(stored["input.source_260"]), of_260(stored["input.driving_260"])
    for scale, expected in (("adapt", "output.cross_id_all"), ("driver", "output.same_id_all")):
        moved = retarget(source, driving, Retargeting(motion="absolute", scale=scale))  # type: ignore[arg-type]
        assert isinstance(moved, BfmCoefficients)
        np.testing.assert_allclose(windows(moved.descriptor_rows()), stored[expected], rtol=1e-5, atol=1e-6)


def test_absolute_motion_keeps_crop_and_appearance_of_the_source() -> None:
    """Motion is the driver's; identity, texture, lighting and crop are the source's."""
    moved = retarget(SOURCE, DRIVING, Retargeting(motion="absolute", scale="source"))
    assert isinstance(moved, BfmCoefficients)
    for name in ("expression", "angles", "translation"):
        np.testing.assert_array_equal(getattr(moved, name), getattr(DRIVING, name))
    for name in ("crops", "identity", "texture", "lighting"):
        np.testing.assert_array_equal(getattr(moved, name), np.repeat(getattr(SOURCE, name)[:1], 6, axis=0))
    assert (moved.fps, moved.crop) == (DRIVING.fps, SOURCE.crop)


@pytest.mark.parametrize("scale", ["adapt", "driver", "source"])
def test_relative_motion_starts_at_the_source(scale: str) -> None:
    """The reference frame shows the source's state. Other frames add the driver's change; the scale is multiplied."""
    moved = retarget(SOURCE, DRIVING, Retargeting(reference="2", scale=scale))  # type: ignore[arg-type]
    assert isinstance(moved, BfmCoefficients)
    for name in MOTION:
        np.testing.assert_allclose(getattr(moved, name)[2], getattr(SOURCE, name)[0], rtol=1e-5, atol=1e-6)
    change = DRIVING.expression[4] - DRIVING.expression[2]
    np.testing.assert_allclose(moved.expression[4] - moved.expression[2], change, rtol=1e-4, atol=1e-5)
    ratio = 1.0 if scale == "source" else DRIVING.crops[4, 0] / DRIVING.crops[2, 0]
    assert moved.crops[4, 0] / moved.crops[2, 0] == pytest.approx(ratio, rel=1e-5)
    still = {"source": 0.0, "driver": 1.0, "adapt": DRIVING.crops[2, 0] / SOURCE.crops[0, 0]}[scale]
    expected = still * (DRIVING.crops[4, 1:] - DRIVING.crops[2, 1:])
    np.testing.assert_allclose(moved.crops[4, 1:] - moved.crops[2, 1:], expected, rtol=1e-4, atol=1e-4)


def test_frames_without_a_face_follow_the_rule() -> None:
    """The second frame of the driver has no face."""
    how = Retargeting(motion="absolute", scale="driver")
    held, own, cut = (retarget(SOURCE, DRIVING, how, no_face=rule) for rule in ("hold", "source", "cut"))
    for name in MOTION:
        np.testing.assert_array_equal(getattr(held, name)[1], getattr(DRIVING, name)[1])
        np.testing.assert_allclose(getattr(own, name)[1], getattr(SOURCE, name)[0])
        np.testing.assert_array_equal(getattr(own, name)[2:], getattr(DRIVING, name)[2:])
    assert (len(held), len(cut)) == (6, 5)


@pytest.mark.parametrize(
    ("slider", "value", "moves"),
    [("yaw", 20, (-1, 0)), ("pitch", 20, (0, -1)), ("move_x", 0.5, (1, 0)), ("move_y", 0.5, (0, -1))],
)
def test_sliders_move_the_nose_as_in_linear478(slider: str, value: float, moves: tuple[int, int]) -> None:
    """The nose of the standard face, rotated and placed by the alignment, with y upwards."""
    rest = replace(SOURCE.rows(0, 1), angles=np.zeros((1, 3)), crops=np.array([[1.2, 128.0, 128.0]]))
    turned = apply_edit(rest, Edit({slider: value}), model())
    assert isinstance(turned, BfmCoefficients)

    def nose(coefficients: BfmCoefficients) -> np.ndarray:
        point = rotation_of(coefficients.angles)[0] @ STANDARD[2]
        scale, x, y = coefficients.crops[0]
        return np.asarray(Alignment(256, 256, scale, x, y).out_of_square(102 * point[:2] + 112))

    shift = nose(turned) - nose(rest)
    assert tuple(np.sign(np.round(shift, 3)).astype(int)) == moves


def test_zoom_enlarges_and_roll_is_clockwise() -> None:
    """A head of twice the size has half the crop scale; roll moves the right side of the picture down."""
    rest = replace(SOURCE.rows(0, 1), angles=np.zeros((1, 3)), crops=np.array([[1.2, 128.0, 128.0]]))
    assert isinstance(larger := apply_edit(rest, Edit({"zoom": 2}), model()), BfmCoefficients)
    assert larger.crops[0, 0] == pytest.approx(0.6)
    rolled = rotation_of(apply_edit(rest, Edit({"roll": 30}), model()).angles)[0] @ (1, 0, 0)
    assert rolled[1] < -0.4


def test_face_controls_are_rejected() -> None:
    with pytest.raises(UsageError, match="smile needs the motion space linear478"):
        apply_edit(SOURCE, Edit({"smile": 1}), model())
    with pytest.raises(UsageError, match="--random samples expressions of the motion space linear478"):
        apply_edit(SOURCE, Edit(draw=Draw(1)), model())


def test_interpolation_goes_from_the_source_to_the_stop() -> None:
    """The alignment is interpolated too."""
    moved = interpolated_through(SOURCE, DRIVING.rows(2, 3), Edit(frames=5, fps="25"))
    assert isinstance(moved, BfmCoefficients)
    for name in MOTION:
        np.testing.assert_allclose(
            getattr(moved, name)[[0, -1]], [getattr(SOURCE, name)[0], getattr(DRIVING, name)[2]], 1e-5
        )
