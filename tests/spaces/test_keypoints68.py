"""The motion space `keypoints68`: landmarks of the source's face, moved as the driver's."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facepipe.errors import InputError
from facepipe.face.cropping import SquareCrop
from facepipe.face.topology import SIXTY_EIGHT
from facepipe.motion.drawing import interpolated_through
from facepipe.motion.editing import apply_edit
from facepipe.motion.sliders import Edit
from facepipe.spaces import SPACES, keypoints68, linear478
from facepipe.spaces.coefficients import Coefficients, Floats, joined
from facepipe.spaces.files import load_coefficients, save_coefficients
from facepipe.spaces.keypoints68.coefficients import KeypointCoefficients, with_keypoints
from facepipe.spaces.keypoints68.landmarks import box_around, followed, projected, steady_box
from facepipe.spaces.retargeting import Retargeting
from facepipe.spaces.smoothing import smoothed
from tests.face.faces import face_model
from tests.spaces.test_retargeting import made

MODEL = face_model()
DRIVER = Retargeting(motion="absolute", keypoints="driver")


def seen(seed: int, count: int, deviation: float = 0.01) -> KeypointCoefficients:
    """Return coefficients whose landmarks deviate from those of the model."""
    coefficients = made(seed, count)
    random = np.random.default_rng(seed)
    return with_keypoints(coefficients, projected(coefficients, MODEL) + random.normal(0, deviation, (count, 68, 2)))


SOURCE, DRIVING = seen(1, 1), seen(2, 12)


def retarget(
    source: Coefficients, driving: Coefficients, how: Retargeting, *, no_face: str = "hold"
) -> KeypointCoefficients:
    found = source.space.retarget(source, driving, how, MODEL, no_face=no_face)
    assert isinstance(found, KeypointCoefficients)
    return found


def test_landmarks_of_the_model_are_its_points_in_the_crop() -> None:
    """As pixels of a crop: what `pose` places there, in half sides from the middle."""
    placed = DRIVING.pose(200).apply(MODEL.shape(DRIVING.identity, DRIVING.expression))[:, SIXTY_EIGHT, :2]
    np.testing.assert_allclose(projected(DRIVING, MODEL), (placed - 99.5) / 100, atol=1e-12)


def test_the_box_is_the_published_one() -> None:
    """Spelled out as in the published program, in pixels, up to its rounding to whole ones."""
    pixels = DRIVING.keypoints * 500 + 700
    for number, points in enumerate(pixels):
        low, high = points.min(0), points.max(0)
        size = int(max(high - low))
        center = np.round((low + high) / 2)
        center[1] -= size // 6
        published = ((points - (center - size)) / (2 * size) - 0.5) * 2
        box = box_around(pixels[number : number + 1])
        np.testing.assert_allclose(box.normalised(points[None])[0], published, atol=2 / size)
        np.testing.assert_allclose(box.placed(box.normalised(points[None])), points[None])


def test_a_source_at_rest_keeps_its_landmarks() -> None:
    found = retarget(SOURCE, DRIVING, Retargeting(strength=0))
    np.testing.assert_allclose(found.keypoints, np.repeat(SOURCE.keypoints, 12, 0), atol=1e-9)


def test_the_shape_of_the_drivers_face_does_not_leak() -> None:
    """Another driver with the same motion gives the same landmarks; the published rule gives other ones."""
    other = replace(DRIVING, identity=DRIVING.identity + 1, keypoints=DRIVING.keypoints * 1.2)
    absolute = Retargeting(motion="absolute", scale="driver")
    own, leaked = (
        [retarget(SOURCE, driver, how).keypoints for driver in (DRIVING, other)]
        for how in (absolute, replace(absolute, keypoints="driver"))
    )
    np.testing.assert_array_equal(own[0], own[1])
    # Boxes hide the factor, but not other proportions.
    wide = replace(DRIVING, keypoints=DRIVING.keypoints * (1.3, 1))
    assert np.abs(retarget(SOURCE, wide, DRIVER).keypoints - leaked[0]).max() > 0.02


def test_deviations_turn_and_grow_with_the_head() -> None:
    """Rolled by a quarter turn and twice as large, the landmarks are those of the source, turned and doubled."""
    translation = SOURCE.translation + np.array([0.1, -0.2, np.log(2)])
    turned = SOURCE.with_motion(SOURCE.expression, SOURCE.angles + np.array([0, 0, np.pi / 2]), translation)
    found = followed(turned, SOURCE, MODEL).keypoints
    offset = SOURCE.keypoints - SOURCE.translation[:, None, :2]
    expected = translation[:, None, :2] + 2 * np.stack([-offset[..., 1], offset[..., 0]], axis=-1)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_deviations_fade_as_the_head_turns_away() -> None:
    aside = SOURCE.with_motion(SOURCE.expression, SOURCE.angles + np.array([0, 1.2, 0]), SOURCE.translation)
    np.testing.assert_allclose(followed(aside, SOURCE, MODEL).keypoints, projected(aside, MODEL), atol=1e-6)


def test_the_drivers_own_landmarks_fill_the_sources_box() -> None:
    """They are the published input: the driver's landmarks in the driver's box."""
    still = DRIVING.repeated(4)
    found = retarget(SOURCE, still, DRIVER)
    own, theirs = box_around(SOURCE.keypoints), box_around(still.keypoints)
    np.testing.assert_allclose(own.normalised(found.keypoints[:1]), theirs.normalised(still.keypoints)[:1], atol=1e-9)
    kept, taken_back = found.space.contain(found, SOURCE, DRIVER, MODEL)
    assert (kept, taken_back) == (found, 0.0)


def test_the_drivers_box_does_not_follow_the_jaw() -> None:
    """A jaw that opens and closes moves the box of each frame, but hardly the steady one; a cut moves it at once."""
    random = np.random.default_rng(0)
    count = 100
    clip = seen(3, 1).repeated(count)
    opened = np.array(clip.keypoints)
    opened[:, :17, 1] += 0.05 * random.random((count, 1))
    clip = replace(clip, keypoints=opened, shot=np.repeat(np.array([0, 1], np.int32), 50))
    clip.keypoints[50:] += 0.5
    single, steady = box_around(clip.keypoints).center[:, 1], steady_box(clip).center[:, 1]
    assert np.abs(np.diff(steady[:50])).max() < 0.1 * np.abs(np.diff(single[:50])).max()
    assert abs(steady[50] - steady[49] - 0.5) < 0.01


@pytest.mark.parametrize("how", [Retargeting(), DRIVER])
def test_frames_without_a_face(how: Retargeting) -> None:
    driving = replace(DRIVING, valid=np.arange(12) % 4 != 1)
    held, own, cut = (retarget(SOURCE, driving, how, no_face=rule) for rule in ("hold", "source", "cut"))
    np.testing.assert_allclose(own.keypoints[1], SOURCE.keypoints[0], atol=1e-9)
    np.testing.assert_array_equal(cut.keypoints, held.keypoints[driving.valid])
    assert len(cut) == len(cut.keypoints) == 9


def landmarks_of(coefficients: Coefficients) -> Floats:
    assert isinstance(coefficients, KeypointCoefficients)
    return coefficients.keypoints


def test_gaps_are_filled_and_noise_is_smoothed() -> None:
    """Landmarks pass evenly over a gap, and are smoothed as the same numbers in another array are."""
    noisy = seen(4, 40)
    gap = replace(noisy, valid=np.abs(np.arange(40) - 20) > 8)
    filled = landmarks_of(smoothed(gap, "none"))
    np.testing.assert_allclose(filled[20], filled[11] + 9 / 18 * (filled[29] - filled[11]))
    flat = replace(noisy, expression=np.array(noisy.keypoints.reshape(40, -1)[:, :64]))
    found = smoothed(flat, "savitzky-golay")
    np.testing.assert_array_equal(landmarks_of(found).reshape(40, -1)[:, :64], found.expression)


def test_sliders_move_the_landmarks() -> None:
    """Right and up in the crop, larger, and with the lips apart; no slider changes nothing."""
    edited = {name: apply_edit(SOURCE, Edit(values), MODEL) for name, values in SLIDERS.items()}
    keypoints = {name: one.keypoints[0] for name, one in edited.items() if isinstance(one, KeypointCoefficients)}
    own, unit = SOURCE.keypoints[0], np.exp(SOURCE.translation[0, 2])
    np.testing.assert_allclose(keypoints["none"], own, atol=1e-9)
    np.testing.assert_allclose(keypoints["moved"] - own, np.tile((0.2 * unit, -0.1 * unit), (68, 1)), atol=1e-9)
    np.testing.assert_allclose(np.ptp(keypoints["large"], 0), 1.5 * np.ptp(own, 0))
    assert keypoints["open"][66, 1] - keypoints["open"][62, 1] > own[66, 1] - own[62, 1] + 0.1 * unit


SLIDERS = {"none": {}, "moved": {"move_x": 0.2, "move_y": -0.1}, "large": {"zoom": 1.5}, "open": {"mouth_open": 1.0}}


def test_a_face_travels_through_stops() -> None:
    found = interpolated_through(SOURCE, retarget(SOURCE, DRIVING, Retargeting()).rows(3, 4), Edit(frames=5, fps="25"))
    assert isinstance(found, KeypointCoefficients)
    np.testing.assert_allclose(found.keypoints[0], SOURCE.keypoints[0])
    np.testing.assert_allclose(found.keypoints[2], (found.keypoints[0] + found.keypoints[4]) / 2)


def test_motion_that_leads_out_of_the_picture_is_taken_back() -> None:
    """The landmarks move as the translation does."""
    translation = SOURCE.translation + np.linspace(0, 3, 60)[:, None] * (1, 0, 0)
    source = SOURCE.repeated(60)
    away = followed(source.with_motion(source.expression, source.angles, translation), SOURCE, MODEL)
    kept, taken_back = away.space.contain(away, SOURCE, Retargeting(), MODEL)
    assert isinstance(kept, KeypointCoefficients)
    assert taken_back > 0.3
    moved = kept.translation[:, None, :2] - away.translation[:, None, :2]
    np.testing.assert_allclose(kept.keypoints, away.keypoints + moved, atol=1e-9)


def test_motion_of_linear478_is_followed() -> None:
    """As from a voice: its rows have no landmarks, or those of the source at rest."""
    linear = retarget(SOURCE, DRIVING, Retargeting())
    for voiced in (
        Coefficients(**{name: getattr(linear, name) for name in LINEAR}),
        replace(linear, keypoints=np.repeat(SOURCE.keypoints, 12, 0)),
    ):
        found = SOURCE.space.follow(voiced, SOURCE, MODEL)
        assert isinstance(found, KeypointCoefficients)
        np.testing.assert_array_equal(found.keypoints, linear.keypoints)
    assert isinstance(linear478.SPACE.follow(linear, SOURCE, MODEL), Coefficients)


LINEAR = (*linear478.SPACE.arrays, "fps", "crop", "picture_size")


def test_another_crop_of_the_picture() -> None:
    """Landmarks keep their place in the picture."""
    crop = SquareCrop(130, 70, 260)
    moved = DRIVING.relative_to(crop)
    own = np.array([DRIVING.crop.center_x, DRIVING.crop.center_y]) + DRIVING.crop.side / 2 * DRIVING.keypoints
    np.testing.assert_allclose(np.array([130, 70]) + 130 * moved.keypoints, own)
    np.testing.assert_allclose(projected(moved, MODEL) - moved.keypoints, _scaled(DRIVING, 200 / 260), atol=1e-9)


def _scaled(coefficients: KeypointCoefficients, ratio: float) -> np.ndarray:
    return ratio * (projected(coefficients, MODEL) - coefficients.keypoints)


def test_files(tmp_path: Path) -> None:
    """Files keep the landmarks. They are also motion in linear478; its files can drive landmarks, but not be them."""
    save_coefficients(DRIVING, tmp_path / "k.npz")
    save_coefficients(made(2, 12), tmp_path / "l.npz")
    found = load_coefficients(tmp_path / "k.npz", space=keypoints68.SPACE)
    assert isinstance(found, KeypointCoefficients)
    np.testing.assert_array_equal(found.keypoints, DRIVING.keypoints.astype(np.float32))
    assert len(joined([found.rows(0, 5), found.rows(5, 12)], 12)) == 12
    np.testing.assert_array_equal(load_coefficients(tmp_path / "k.npz").angles, found.angles)
    with pytest.raises(InputError, match="'linear478', but 'keypoints68' is needed"):
        load_coefficients(tmp_path / "l.npz", space=keypoints68.SPACE)
    driving = load_coefficients(tmp_path / "l.npz", space=keypoints68.SPACE, as_driver=True)
    np.testing.assert_allclose(
        retarget(SOURCE, driving, Retargeting()).keypoints, retarget(SOURCE, found, Retargeting()).keypoints, atol=1e-5
    )
    with pytest.raises(InputError, match="'keypoints68', but 'bfm' is needed"):
        load_coefficients(tmp_path / "k.npz", space=SPACES["bfm"], as_driver=True)
    assert found.fps == Fraction(30)
