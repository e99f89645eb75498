"""The mesh renderer on a photograph, and on painted heads whose appearance in motion is known."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facepipe.face import topology as at
from facepipe.face.fitting import fit
from facepipe.face.pose import Similarity, rotation_of
from facepipe.renderers.mesh import renderer as module
from facepipe.renderers.mesh.renderer import MeshRenderer
from facepipe.rendering.source import Source, source_of_fit
from tests.face.faces import astronaut_portrait, face_model
from tests.renderers import painted
from tests.renderers.painted import LIPS, SCLERA, Picture, closed, expression_of, points_at, pose_at, ring_mask

SIZE = 256
OPEN = expression_of(jaw_open=1.0, mouth_open=1.0)


def turned(pose: Similarity, degrees: tuple[float, float, float]) -> Similarity:
    return pose._replace(rotation=rotation_of(np.radians([degrees])) @ pose.rotation)


def psnr(first: Picture, second: Picture) -> float:
    return float(-10 * np.log10(np.mean((first.astype(float) - second) ** 2) / 255**2 + 1e-12))


@pytest.mark.parametrize("size", [256, 512])
def test_the_sources_own_coefficients_reproduce_its_picture(size: int) -> None:
    """A photograph with its own expression and pose gives a PSNR above 45 dB."""
    portrait, own = astronaut_portrait(size)
    renderer = MeshRenderer(face_model(), portrait)
    np.testing.assert_allclose(renderer.target_points(own.expression, own.pose(size))[0], portrait.points, atol=1e-6)
    assert psnr(next(renderer.frames(own.expression, own.pose(size))), portrait.picture) > 45


def test_rendering_is_deterministic_and_leaves_the_source_unchanged() -> None:
    """Rendering keeps no state between frames and does not write to the source."""
    portrait, own = astronaut_portrait(SIZE)
    before, renderer = portrait.picture.copy(), MeshRenderer(face_model(), portrait)
    rows = np.concatenate([own.expression + OPEN, own.expression, own.expression + OPEN])
    pose = own.pose(SIZE).rows(np.zeros(3, int))
    first, between, again = renderer.frames(rows, pose)
    np.testing.assert_array_equal(first, again)
    assert (first != between).any()
    np.testing.assert_array_equal(portrait.picture, before)


@pytest.mark.parametrize("size", [256, 512])
@pytest.mark.parametrize("degrees", [(0, 40, 0), (0, -40, 0), (25, 0, 0), (-25, 0, 15)])
def test_no_holes(size: int, degrees: tuple[float, float, float]) -> None:
    """The surface covers the border of the picture completely, and has hardly a slit elsewhere."""
    portrait, own = astronaut_portrait(size)
    renderer, pose = MeshRenderer(face_model(), portrait), turned(own.pose(size), degrees)
    flow = renderer.flow(renderer.target_points(own.expression, pose)[0], pose)
    hole = flow.triangle < 0
    assert not np.concatenate([hole[0], hole[-1], hole[:, 0], hole[:, -1]]).any()
    assert hole.mean() < 2e-4
    assert np.isfinite(flow.source_position).all()


@pytest.mark.parametrize("degrees", [(0, 25, 0), (15, -20, 10)])
def test_far_from_the_face_nothing_moves(degrees: tuple[float, float, float]) -> None:
    """Beyond the rings the picture is unchanged when the face turns."""
    size, pose = 512, pose_at(512, share=0.1)
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8)
    source = painted.portrait(size, expression_of(), pose)
    source = replace(source, picture=np.asarray(cv2.blur(noise, (3, 3)), np.uint8))
    image = painted.rendered(source, expression_of(), turned(pose, degrees))
    oval = source.points[list(at.FACE_OVAL), :2]
    reach = 3.4 * np.linalg.norm(oval - oval.mean(0), axis=1).max() + 20
    y, x = np.mgrid[:size, :size]
    far = np.hypot(x - oval[:, 0].mean(), y - oval[:, 1].mean()) > reach
    assert far.mean() > 0.2
    np.testing.assert_array_equal(image[far], source.picture[far])
    assert (image != source.picture).any(-1).mean() > 0.05


@pytest.mark.parametrize("degrees", [(0, 15, 0), (0, -15, 0), (10, 0, 0), (-8, 10, 12)])
def test_a_turned_head_equals_one_painted_in_that_pose(degrees: tuple[float, float, float]) -> None:
    """Inside the face the rendered picture is close to a head painted in the new pose."""
    source, pose = painted.portrait(SIZE, closed(), pose_at(SIZE)), pose_at(SIZE, degrees)
    image, truth = painted.rendered(source, closed(), pose), painted.paint(points_at(closed(), pose), SIZE)
    inside = ring_mask(points_at(closed(), pose), at.FACE_OVAL, SIZE)
    inside = cv2.erode(inside.astype(np.uint8), np.ones((7, 7))) > 0
    away = np.abs(image.astype(int) - truth)[inside].mean()
    unmoved = np.abs(source.picture.astype(int) - truth)[inside].mean()
    assert away < 5
    assert away < 0.4 * unmoved


@pytest.mark.parametrize("size", [256, 512])
def test_an_opened_mouth_is_dark_and_not_a_stretched_lip(size: int) -> None:
    """From closed lips: dark with teeth inside of the inner ring; the lips around it keep their colour."""
    pose = pose_at(size)
    source = painted.portrait(size, closed(), pose)
    image, points = painted.rendered(source, OPEN, pose).astype(float), points_at(OPEN, pose)
    inner = cv2.erode(ring_mask(points, at.LIP_INNER, size).astype(np.uint8), np.ones((3, 3))) > 0
    lips = ring_mask(points, at.LIP_OUTER, size) & ~ring_mask(points, at.LIP_INNER, size)
    assert inner.sum() > size * size / 400
    from_lips = np.linalg.norm(image - LIPS, axis=-1)
    assert np.median(from_lips[cv2.erode(lips.astype(np.uint8), np.ones((3, 3))) > 0]) < 25
    assert np.median(from_lips[inner]) > 80
    luminance = image.mean(-1)
    assert np.median(luminance[inner]) < 0.5 * np.median(luminance[lips & (from_lips < 40)]) + 20
    assert luminance[inner].max() > 1.5 * np.median(luminance[inner]), "no teeth"


def test_an_open_mouth_of_the_source_is_warped() -> None:
    """Pixels between open lips are warped, not replaced by a rendered interior."""
    pose = pose_at(SIZE)
    source = painted.portrait(SIZE, OPEN, pose)
    source.picture[ring_mask(source.points, at.LIP_INNER, SIZE)] = (30, 200, 40)
    image, points = painted.rendered(source, 0.9 * OPEN, pose), points_at(0.9 * OPEN, pose)
    inner = cv2.erode(ring_mask(points, at.LIP_INNER, SIZE).astype(np.uint8), np.ones((5, 5))) > 0
    assert np.abs(image[inner].astype(int) - (30, 200, 40)).mean() < 12


@pytest.mark.parametrize("size", [256, 512])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_closed_eye_shows_no_white(size: int, side: str) -> None:
    """The named eye has hardly a white pixel left; the other keeps its white."""
    pose, blink = pose_at(size), expression_of(**{f"blink_{side}": 1.1})
    source = painted.portrait(size, expression_of(), pose)
    image = painted.rendered(source, blink, pose)
    rings = {"left": at.LEFT_EYE, "right": at.RIGHT_EYE}
    for name, ring in rings.items():
        region = cv2.dilate(ring_mask(source.points, ring, size).astype(np.uint8), np.ones((5, 5))) > 0
        before, after = (
            int((np.abs(picture[region].astype(int) - SCLERA).max(-1) < 30).sum())
            for picture in (source.picture, image)
        )
        assert before > 20 * size / 256
        if name == side:
            assert after <= 0.06 * before
        else:
            assert after > 0.65 * before


def test_a_closed_eye_of_the_source_opens_with_a_rendered_eyeball() -> None:
    """From closed lids, an opened eye shows white and a dark pupil, not stretched skin."""
    pose, asleep = pose_at(SIZE), expression_of(blink_left=1.2, blink_right=1.2)
    points = points_at(asleep, pose)
    picture = painted.paint(points, SIZE)
    source = painted.source_at(picture, points, pose, asleep[0])
    picture[ring_mask(points, at.LEFT_EYE, SIZE) | ring_mask(points, at.RIGHT_EYE, SIZE)] = painted.SKIN
    image, awake = painted.rendered(source, expression_of(), pose), points_at(expression_of(), pose)
    for ring in (at.LEFT_EYE, at.RIGHT_EYE):
        inside = image[ring_mask(awake, ring, SIZE)].astype(int)
        grey = np.ptp(inside, axis=1) < 25
        assert grey.mean() > 0.25
        assert inside.mean(1).min() < 60


@pytest.mark.parametrize("yaw", [38, -38])
def test_the_hidden_side_is_filled_from_the_visible_side(yaw: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head turned away, rendered frontally: the hidden side has own_share below 0.5, and mirroring improves it."""
    source, front = painted.portrait(SIZE, closed(), pose_at(SIZE, (0, yaw, 0))), pose_at(SIZE)
    truth = painted.paint(points_at(closed(), front), SIZE)
    renderer = MeshRenderer(face_model(), source)
    flow = renderer.flow(points_at(closed(), front), front)
    inside = cv2.erode(ring_mask(points_at(closed(), front), at.FACE_OVAL, SIZE).astype(np.uint8), np.ones((5, 5))) > 0
    hidden = inside & (flow.own_share < 0.5)
    assert hidden.sum() > 300
    # Positive yaw turns the nose to the left of the picture, so the cheek on that side is the one that hides.
    assert (np.nonzero(hidden)[1].mean() < SIZE / 2) == (yaw > 0)
    filled = np.abs(renderer.render(points_at(closed(), front), front).astype(int) - truth)[hidden].mean()
    monkeypatch.setattr(module, "own_share", lambda *_: np.ones(478, np.float32))
    stretched = np.abs(painted.rendered(source, closed(), front).astype(int) - truth)[hidden].mean()
    assert filled < 10
    assert filled < 0.6 * stretched


def mirror_image(portrait: Source) -> Source:
    """Return the mirrored portrait, with a fit of its own."""
    picture, width = np.ascontiguousarray(portrait.picture[:, ::-1]), portrait.picture.shape[1]
    points = (portrait.points * (-1, 1, 1) + (width - 1, 0, 0))[face_model().mirror]
    fitted = fit(face_model(), points[None], np.ones(1, bool))
    return source_of_fit(picture, points, fitted)


@pytest.mark.parametrize(
    ("degrees", "control"), [((0, 20, 0), "jaw_open"), ((8, -15, 10), "smile"), ((0, 0, 0), "blink")]
)
def test_a_mirrored_source_gives_a_mirrored_result(degrees: tuple[float, float, float], control: str) -> None:
    """A mirrored source with mirrored motion gives the mirrored result, up to a few grey levels."""
    portrait = astronaut_portrait(SIZE)[0]
    fitted = fit(face_model(), portrait.points[None], np.ones(1, bool))
    plain = source_of_fit(portrait.picture, portrait.points, fitted)
    mirrored, (pitch, yaw, roll) = mirror_image(plain), degrees
    names = ("blink_left", "blink_right") if control == "blink" else (control, control)
    first, second = (
        painted.rendered(one, one.expression + expression_of(**{name: 0.8}), turned(one.pose, angles))
        for one, name, angles in ((plain, names[0], degrees), (mirrored, names[1], (pitch, -yaw, -roll)))
    )
    away = np.abs(first.astype(int) - second[:, ::-1])
    assert away.mean() < 1.5
    assert (first != plain.picture).any(-1).mean() > (0.002 if control == "blink" else 0.2)


@pytest.mark.parametrize("shift", [(-120, 0), (150, 40), (0, 130), (0, -140), (400, 0)])
def test_a_face_may_leave_the_picture(shift: tuple[float, float]) -> None:
    """Half or fully outside, with moving mouth and eyes, size and dtype of the picture are right."""
    portrait, own = astronaut_portrait(SIZE)
    pose = own.pose(SIZE)
    shifted = pose._replace(translation=np.add(pose.translation, (*shift, 0)))
    image = painted.rendered(portrait, own.expression + OPEN + expression_of(blink_left=1), shifted)
    assert image.shape == (SIZE, SIZE, 3)
    assert image.dtype == np.uint8


def test_visibility_in_the_source() -> None:
    """Nearly all of a face is visible in its own pose; the far cheek of a turned source is not in a frontal target."""
    source = painted.portrait(SIZE, closed(), pose_at(SIZE, (0, 45, 0)))
    renderer = MeshRenderer(face_model(), source)
    own = renderer.flow(source.points, source.pose)
    face = own.triangle < renderer.surface.skin_end
    assert own.visible[face].mean() > 0.99
    front = pose_at(SIZE)
    flow = renderer.flow(points_at(closed(), front), front)
    skin = (flow.triangle >= 0) & (flow.triangle < renderer.surface.skin_end)
    assert 0.6 < flow.visible[skin].mean() < 0.98
