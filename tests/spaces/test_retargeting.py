"""Retargeting of one face's motion to another."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from facepipe.errors import NoFaceError, UsageError
from facepipe.face.cropping import SquareCrop
from facepipe.face.pose import rotation_of
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.linear478.motion import opening_distance, openings
from facepipe.spaces.retargeting import Distance, Retargeting, reference_frames
from tests.face.faces import face_model


def made(seed: int, count: int) -> Coefficients:
    random = np.random.default_rng(seed)
    return Coefficients(
        identity=random.normal(size=80),
        expression=random.normal(size=(count, 64)),
        angles=random.normal(0, 0.2, (count, 3)),
        translation=random.normal((0, 0, -1), 0.1, (count, 3)),
        valid=np.ones(count, bool),
        residual=random.uniform(0, 0.02, count),
        fps=Fraction(30) if count > 1 else Fraction(25),
        crop=SquareCrop(100 + seed, 90, 200),
        picture_size=(320 + seed, 240),
    )


MODEL = face_model()


def retarget(source: Coefficients, driving: Coefficients, how: Retargeting, *, no_face: str = "hold") -> Coefficients:
    return source.space.retarget(source, driving, how, MODEL, no_face=no_face)


SOURCE, DRIVING = made(1, 1), made(2, 12)


def picked(source: Coefficients, driving: Coefficients, rule: str, distance: Distance | None = None) -> tuple[int, int]:
    """Return the references for expression and pose of a driver of one shot."""
    found = reference_frames(source, driving, rule, distance)
    assert len(set(found.expression)) == len(set(found.pose)) == 1
    return int(found.expression[0]), int(found.pose[0])


def check_state(found: Coefficients, state: Coefficients) -> None:
    """Check that every frame of `found` has the motion of `state`."""
    for name in ("expression", "angles", "translation"):
        rows = getattr(found, name)
        np.testing.assert_allclose(rows, np.repeat(getattr(state, name)[:1], len(rows), 0), atol=1e-9)


def test_strength_zero_keeps_the_source() -> None:
    """Relative motion of strength 0 repeats the source's own state for the length of the driver."""
    found = retarget(SOURCE, DRIVING, Retargeting(strength=0))
    assert len(found) == len(DRIVING)
    check_state(found, SOURCE)


def test_identity_and_crop_come_from_the_source_and_the_rate_from_the_driver() -> None:
    found = retarget(SOURCE, DRIVING, Retargeting())
    np.testing.assert_array_equal(found.identity, SOURCE.identity)
    assert (found.crop, found.picture_size, found.fps) == (SOURCE.crop, SOURCE.picture_size, DRIVING.fps)


@pytest.mark.parametrize("scale", ["source", "adapt", "driver"])
def test_at_the_reference_frame_the_source_shows_its_own_state(scale: str) -> None:
    """Relative motion starts from the source under every scale rule."""
    found = retarget(SOURCE, DRIVING, Retargeting(reference="7", scale=scale))  # type: ignore[arg-type]
    check_state(found.rows(7, 8), SOURCE)


def test_a_clip_drives_its_own_first_frame_back_to_itself() -> None:
    """Self-reenactment reproduces expression, angles and translation."""
    found = retarget(DRIVING.rows(0, 1), DRIVING, Retargeting(reference="first", scale="driver"))
    for name in ("expression", "translation"):
        np.testing.assert_allclose(getattr(found, name), getattr(DRIVING, name), atol=1e-9)
    np.testing.assert_allclose(rotation_of(found.angles), rotation_of(DRIVING.angles), atol=1e-9)


def test_absolute_motion_is_the_drivers_state() -> None:
    """With the scale rule driver, translation is the driver's as well."""
    found = retarget(SOURCE, DRIVING, Retargeting(motion="absolute", scale="driver"))
    for name in ("expression", "angles", "translation"):
        np.testing.assert_allclose(getattr(found, name), getattr(DRIVING, name), atol=1e-9)


def test_strength_multiplies_the_delta() -> None:
    """Doubling the strength doubles the change of expression and the rotation about one axis."""
    turn = np.zeros((12, 3))
    turn[:, 1] = np.linspace(0, 0.4, 12)
    source, driving = replace(SOURCE, angles=np.zeros((1, 3))), replace(DRIVING, angles=turn)
    once, twice = (retarget(source, driving, Retargeting(strength=s, reference="first")) for s in (1, 2))
    np.testing.assert_allclose(twice.expression - SOURCE.expression, 2 * (once.expression - SOURCE.expression))
    np.testing.assert_allclose(twice.angles, 2 * turn, atol=1e-9)


@pytest.mark.parametrize("only", ["expression", "pose"])
def test_only_one_kind_of_motion(only: str) -> None:
    """The other kind stays the source's; the selected kind is the same as with `only="all"`."""
    found, whole = (retarget(SOURCE, DRIVING, Retargeting(only=one)) for one in (only, "all"))  # type: ignore[arg-type]
    kept, changed = ("angles", "expression") if only == "expression" else ("expression", "angles")
    np.testing.assert_allclose(getattr(found, kept), np.repeat(getattr(SOURCE, kept), 12, 0))
    np.testing.assert_array_equal(getattr(found, changed), getattr(whole, changed))
    if only == "expression":
        np.testing.assert_allclose(found.translation, np.repeat(SOURCE.translation, 12, 0))


def test_size_and_position_follow_the_scale_rule() -> None:
    """The driver approaches and moves sideways: source keeps the size, adapt scales it; both move in head sizes."""
    moved = np.tile(np.array([[0.1, 0.2, -1.0]]), (2, 1))
    moved[1] += (0.3, -0.1, 0.5)
    driving = replace(DRIVING.rows(0, 2), translation=moved)
    source = replace(SOURCE, translation=np.array([[-0.2, 0.0, -2.0]]))
    kept, adapted = (
        retarget(source, driving, Retargeting(reference="first", scale=scale)).translation[1] - source.translation[0]
        for scale in ("source", "adapt")
    )
    # The source's head is smaller by a factor e, so it moves less by the same factor.
    np.testing.assert_allclose(kept, [0.3 / math.e, -0.1 / math.e, 0])
    np.testing.assert_allclose(adapted, [0.3 / math.e, -0.1 / math.e, 0.5])


def test_the_best_references_are_the_frames_closest_to_the_source() -> None:
    """Frames constructed close to the source are chosen if they have a face, separately for pose and expression."""
    for planted, turned in ((0, 3), (5, 5), (11, 2)):
        expression, angles = DRIVING.expression.copy(), DRIVING.angles.copy()
        expression[planted], angles[turned] = SOURCE.expression[0] + 0.1, SOURCE.angles[0] + 0.01
        driving = DRIVING.with_motion(expression, angles, DRIVING.translation)
        for distance in (None, opening_distance(MODEL)):
            assert picked(SOURCE, driving, "best", distance) == (planted, turned)
            blind = replace(driving, valid=~np.isin(np.arange(12), (planted, turned)))
            found = picked(SOURCE, blind, "best", distance)
            assert found[0] != planted
            assert found[1] != turned


def test_lips_do_not_pass_through_each_other() -> None:
    """The lip gap changes as the driver's and does not fall below the source's, although the reference is open."""
    opened = np.linspace(0, 1, 12)[:, None] * MODEL.controls["mouth_open"].direction
    driving = replace(DRIVING, expression=DRIVING.expression[:1] + opened, angles=np.repeat(SOURCE.angles, 12, 0))
    source = replace(SOURCE, identity=driving.identity, expression=driving.expression[:1] + 0)
    # Apart from the mouth, the frame with the widest opening is closest to the source.
    brows = np.linspace(3, 0, 12)[:, None] * MODEL.controls["brow_raise"].direction
    driving = replace(driving, expression=driving.expression + brows)
    gaps = [openings(one, MODEL)[:, 0] for one in (retarget(source, driving, Retargeting()), driving, source)]
    assert picked(source, driving, "best")[0] > 6
    assert gaps[0].min() > gaps[2][0] - 0.01
    np.testing.assert_allclose(gaps[0] - gaps[0][0], gaps[1] - gaps[1][0], atol=1e-9)


def test_a_nod_remains_a_nod() -> None:
    """A driver that looks aside and nods makes a source that looks ahead nod without tilting its head."""
    angles = np.zeros((12, 3))
    angles[:, 0], angles[:, 1] = np.linspace(-0.3, 0.3, 12), 0.8
    found = retarget(replace(SOURCE, angles=np.zeros((1, 3))), replace(DRIVING, angles=angles), Retargeting())
    np.testing.assert_allclose(np.ptp(found.angles, axis=0), [0.6, 0, 0], atol=1e-9)


def test_first_and_numbered_references() -> None:
    """First is the first frame with a face; a number is that frame, and numbers beyond the end are rejected."""
    assert picked(SOURCE, replace(DRIVING, valid=np.arange(12) >= 3), "first") == (3, 3)
    assert picked(SOURCE, DRIVING, "11") == (11, 11)
    with pytest.raises(UsageError, match="from 0 to 11"):
        reference_frames(SOURCE, DRIVING, "12")


def test_a_reference_without_a_face_is_refused() -> None:
    """Its rows hold the neighbours' state, which is not what the user names; `first` is the first with a face."""
    driving = replace(DRIVING, valid=np.arange(12) != 0)
    with pytest.raises(NoFaceError, match=r"--reference is 0, but frame 0 of the driver shows no face"):
        reference_frames(SOURCE, driving, "0")
    assert reference_frames(SOURCE, driving, "1").pose[0] == reference_frames(SOURCE, driving, "first").pose[0] == 1


def test_frames_without_a_face_follow_the_rule() -> None:
    """Hold keeps the driver's rows, source shows the source's own state, cut removes the frames."""
    driving = replace(DRIVING, valid=np.arange(12) % 4 != 1)
    how = Retargeting(reference="first")
    held, own, cut = (retarget(SOURCE, driving, how, no_face=rule) for rule in ("hold", "source", "cut"))
    np.testing.assert_array_equal(held.expression, retarget(SOURCE, DRIVING, how).expression)
    check_state(own.without(own.valid), SOURCE)
    for found in (own.without(~own.valid), cut):
        np.testing.assert_array_equal(found.expression, held.expression[driving.valid])
        np.testing.assert_array_equal(found.angles, held.angles[driving.valid])
        np.testing.assert_array_equal(found.translation, held.translation[driving.valid])
    assert cut.valid.all()
