"""The embedded networks on real pictures: plausible, stable and accurate points."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest
from skimage import data

from facepipe.dataset.split import Item, split_items
from facepipe.evaluate.perception import bundled_pictures
from facepipe.face import topology as at
from facepipe.face.cropping import SquareCrop, box_of, invert, outer_eye_distance, transform_points
from facepipe.face.detector import overlap
from facepipe.face.finding import Finder
from facepipe.face.fitting import fit
from facepipe.face.pose import angles_of
from facepipe.face.tracking import Tracker
from facepipe.media.decode import decode_frames
from tests.face.faces import DATA, Picture, astronaut, astronaut_track, face_model, networks


def unseen_clips(count: int) -> list[Item]:
    if not (DATA / "sources.tsv").exists():
        pytest.skip(f"{DATA} does not exist")
    return [item for item in split_items(DATA)[1] if item.kind == "clip"][:count]


def points_in(picture: Picture) -> np.ndarray:
    track = Tracker(*networks()).track([picture])
    assert track.valid.all()
    return np.asarray(track.points[0])


def check_plausible(points: np.ndarray) -> None:
    """Check the order eyes, nose, mouth, chin, irises between lids, and a small residual of the face model."""
    frames = points.astype(np.float64)
    fitted = fit(face_model(), frames, np.ones(len(frames), bool))
    assert fitted.residual.max() < 0.04
    upright = fitted.pose.undo(frames)
    heights = [upright[:, list(part), 1].mean(1) for part in (at.RIGHT_EYE, (at.NOSE_TIP,), at.LIP_OUTER, (at.CHIN,))]
    assert (np.diff(heights, axis=0) > 0.1).all()
    for iris, eye in ((at.RIGHT_IRIS[0], at.RIGHT_EYE), (at.LEFT_IRIS[0], at.LEFT_EYE)):
        ring = upright[:, list(eye), 0]
        assert (upright[:, iris, 0] > ring.min(1)).all()
        assert (upright[:, iris, 0] < ring.max(1)).all()


def test_the_astronaut_is_found_once_and_looks_straight() -> None:
    """One confident face with plausible points; the photograph is nearly frontal."""
    track = astronaut_track()
    assert (track.detections, track.max_faces) == (1, 1)
    assert track.score[0] > 0.9
    check_plausible(track.points)
    fitted = fit(face_model(), track.points.astype(np.float64), track.valid)
    assert np.abs(np.degrees(angles_of(fitted.pose.rotation))).max() < 15


@pytest.mark.parametrize("crop", [SquareCrop(150, 130, 300, 0.5), SquareCrop(170, 120, 330, -0.6)])
def test_points_follow_a_rotated_picture(crop: SquareCrop) -> None:
    """In a rotated and scaled picture, points are found at their rotated and scaled positions."""
    matrix = crop.matrix(400)
    turned = cv2.warpAffine(astronaut(), matrix, (400, 400), borderMode=cv2.BORDER_REPLICATE)
    back = transform_points(points_in(np.asarray(turned, np.uint8)), invert(matrix))
    truth = astronaut_track().points[0]
    away = np.linalg.norm(back[:, :2] - truth[:, :2], axis=1) / outer_eye_distance(truth[:, :2])
    assert away.mean() < 0.035


def test_a_mirrored_picture_gives_mirrored_points() -> None:
    """Left and right are not confused, and neither side is preferred."""
    truth, picture = astronaut_track().points[0], astronaut()
    found = points_in(np.ascontiguousarray(picture[:, ::-1]))[face_model().mirror]
    found = found * (-1, 1, 1) + (picture.shape[1] - 1, 0, 0)
    away = np.linalg.norm(found[:, :2] - truth[:, :2], axis=1) / outer_eye_distance(truth[:, :2])
    assert away.mean() < 0.035


@pytest.mark.parametrize("pixels", [40, 60])
def test_small_faces_are_found(pixels: int) -> None:
    """Faces of 40 pixels and more are found with an overlap of at least 0.5."""
    box = box_of(astronaut_track().points[0])
    scale = pixels / max(box[2:] - box[:2])
    small = cv2.resize(astronaut(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    found = Finder(*networks()).find(np.asarray(small, np.uint8))
    assert len(found) == 1
    assert overlap(found[0].box, box * scale) >= 0.5


def test_pictures_without_a_face_have_none() -> None:
    """No face in the cat, cup, rocket and others installed with scikit-image."""
    pictures = [picture[:480, :480] for picture in bundled_pictures()]
    assert len(pictures) >= 5
    assert sum(len(Finder(*networks()).find(np.ascontiguousarray(picture))) for picture in pictures) == 0


def test_noise_does_not_make_a_still_face_jitter() -> None:
    """With sensor noise of two levels, mean steps are below 0.4 % of the outer-eye distance."""
    random = np.random.default_rng(0)
    noisy = [
        np.clip(astronaut() + random.normal(0, 2, astronaut().shape), 0, 255).round().astype(np.uint8) for _ in range(8)
    ]
    points = Tracker(*networks()).track(noisy).points[..., :2]
    steps = np.linalg.norm(np.diff(points, axis=0), axis=-1).mean()
    assert steps / outer_eye_distance(points[0]) < 0.004


def test_two_faces_side_by_side_are_two() -> None:
    """The track records the number of faces, and each rule finds its face."""
    pair = np.concatenate([astronaut(), astronaut()], axis=1)
    tracks = [Tracker(*networks(), face=rule).track([pair]) for rule in ("left", "right")]
    assert [track.max_faces for track in tracks] == [2, 2]
    shift = (tracks[1].points - tracks[0].points)[0, :, :2].mean(0)
    np.testing.assert_allclose(shift, [astronaut().shape[1], 0], atol=1.5)


@pytest.mark.parametrize("index", [0, 1])
def test_unseen_people_are_followed_through_their_clips(index: int) -> None:
    """16 frames of an unseen person: all valid, one detection, plausible points with small steps between frames."""
    item = unseen_clips(2)[index]
    track = Tracker(*networks()).track(itertools.islice(decode_frames(item.path), 16))
    assert track.valid.all()
    assert track.detections == 1
    check_plausible(track.points)
    unit = outer_eye_distance(track.points[..., :2]).mean()
    assert np.linalg.norm(np.diff(track.points[..., :2], axis=0), axis=-1).mean(1).max() < 0.25 * unit


def test_the_whole_photograph_shows_one_face() -> None:
    """A large picture with flag and shuttle in the background: one face, at the same position as in the crop."""
    whole = data.astronaut()  # type: ignore[no-untyped-call]
    found = Finder(*networks()).find(whole)
    assert len(found) == 1
    assert overlap(found[0].box, np.add(box_of(astronaut_track().points[0]), (60, 0, 60, 0))) > 0.8


def test_the_landmarker_treats_both_sides_equally() -> None:
    """Each crop is processed with its mirror image, so the result for a mirrored picture is the mirrored result."""
    _, landmarker = networks()
    picture = astronaut()
    left, top, right, bottom = (float(edge) for edge in box_of(points_in(picture)))
    crop = SquareCrop((left + right) / 2, (top + bottom) / 2, 200.0)
    side = picture.shape[1] - 1
    turned = SquareCrop(side - crop.center_x, crop.center_y, crop.side)
    mirrored = np.ascontiguousarray(picture[:, ::-1])
    plain, other = landmarker.locate([picture], [crop]), landmarker.locate([mirrored], [turned])
    wanted = (plain.points[0] * (-1, 1, 1) + (side, 0, 0))[face_model().mirror]
    eyes = outer_eye_distance(wanted)
    assert np.abs(other.points[0] - wanted).max() / eyes < 0.005
    np.testing.assert_allclose(other.score, plain.score, atol=1e-3)
