"""Rendered mouth interiors, for sources with a closed or half-open mouth."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.face import topology as at
from facepipe.face.pose import Similarity
from facepipe.renderers.mesh import teeth
from facepipe.renderers.mesh.mouth import Mouth, interior_visibility, lighting
from tests.face.faces import face_model
from tests.renderers import painted
from tests.renderers.painted import Floats, Picture, points_at, pose_at, ring_mask

SIZE = 256
OPEN = painted.expression_of(jaw_open=1.0, mouth_open=1.0)
DAYLIGHT = np.array([190.0, 140.0, 120.0])


def mouth(expression: Floats, picture: Picture | None = None, *, skin: Floats = DAYLIGHT) -> Mouth:
    """Return the mouth of the frontal mean face with an expression."""
    picture = np.zeros((SIZE, SIZE, 3), np.uint8) if picture is None else picture
    pose = pose_at(SIZE)
    return Mouth(picture, points_at(expression, pose), pose, face_model().neutral(np.zeros(80))[0], skin)


def interior(given: Mouth, expression: Floats, pose: Similarity) -> Floats:
    """Return (SIZE, SIZE, 3), the interior with an expression in a pose; NaN elsewhere."""
    points = points_at(expression, pose)
    inside = ring_mask(points, at.LIP_INNER, SIZE)
    upper, lower = (points[list(part), :2].mean(0) for part in (at.LIP_INNER_UPPER, at.LIP_INNER_LOWER))
    gap = np.linalg.norm(lower - upper)
    across = np.clip((np.argwhere(inside)[:, ::-1] - upper) @ (lower - upper) / gap**2, 0, 1)
    picture = np.full((SIZE, SIZE, 3), np.nan)
    attributes = np.stack([across, np.full(len(across), gap)], 1)
    picture[inside] = given.render(points, pose, inside, attributes)
    return picture


def test_a_tooth_reaches_from_one_seam_to_the_next() -> None:
    """In both halves; beyond the last tooth the values are finite."""
    row = teeth.Row((8.0, 6.0), 28, 40, 4, 2, -10)
    along = np.array([0.0, 4, 7.9999, 8, 11, 13.9999, -4, -11])
    np.testing.assert_allclose(teeth.across_tooth(along, row), [-1, 0, 1, -1, 0, 1, 0, 0], atol=1e-3)
    assert np.isfinite(teeth.across_tooth(np.array([50.0, -50]), row)).all()


@pytest.mark.parametrize("row", [teeth.UPPER, teeth.LOWER])
def test_an_arch_has_human_size(row: teeth.Row) -> None:
    """The middle is in front, both sides are equal, the back is 45 to 60 mm wide, and teeth cover its length."""
    along, across, depth = teeth.arch(row)
    np.testing.assert_allclose(across, -across[::-1], atol=1e-9)
    assert depth.argmin() == len(depth) // 2
    assert 45 < np.ptp(across) < 60
    assert 0.7 * along.max() < sum(row.widths_mm) < along.max()


def test_upper_teeth_stay_with_the_skull_and_lower_ones_with_the_jaw() -> None:
    """Opening the mouth moves only the lower row, down; turning the head moves both rigidly."""
    given = mouth(painted.closed())
    shut, wide = (given.place(points_at(expression, pose_at(SIZE)), pose_at(SIZE)) for expression in (0 * OPEN, OPEN))
    half = len(shut) // 2
    np.testing.assert_allclose(wide[:half], shut[:half], atol=1e-6)
    assert (wide[half:, 1] > shut[half:, 1] + 0.08 * 0.25 * SIZE).all()
    turned = pose_at(SIZE, (5, 20, 10))
    np.testing.assert_allclose(
        turned.undo(given.place(points_at(0 * OPEN, turned), turned)[None]), pose_at(SIZE).undo(shut[None]), atol=1e-5
    )


@pytest.mark.parametrize("degrees", [(0, 0, 0), (0, 20, 0), (0, 0, -30)])
def test_teeth_are_above_a_dark_cavity(degrees: tuple[float, float, float]) -> None:
    """Bright with low saturation below the upper lip and its gums, dark in the middle of the mouth."""
    pose = pose_at(SIZE, degrees)
    picture = interior(mouth(painted.closed()), OPEN, pose)
    points = points_at(OPEN, pose)[:, :2]
    lip, middle = points[13], points[[13, 14]].mean(0)
    down = (points[14] - lip) / np.linalg.norm(points[14] - lip)
    row, column = (lip + down * 0.11 * 0.25 * SIZE).round().astype(int)[::-1]
    tooth, dark = picture[row, column], picture[tuple(middle.round().astype(int)[::-1])]
    assert tooth.mean() > 2.5 * dark.mean()
    assert np.ptp(tooth) < 0.25 * tooth.mean()


def test_the_sources_teeth_move_with_the_skull() -> None:
    """A stripe painted on the upper teeth of a source keeps its height when the jaw opens."""
    pose, half = pose_at(SIZE), 0.45 * OPEN
    points = points_at(half, pose)
    picture = np.full((SIZE, SIZE, 3), 90, np.uint8)
    edge = int(points[13, 1]) + 4
    picture[edge - 1 : edge + 2] = (20, 200, 30)
    found = interior(mouth(half, picture), OPEN, pose)
    green = found[..., 1] - found[..., [0, 2]].mean(-1)
    rows, columns = np.nonzero(green > 60)
    assert len(rows) > 12
    assert abs(np.median(rows) - edge) <= 1
    assert abs(np.median(columns) - points[13, 0]) < 4


def test_only_an_open_mouth_has_a_visible_interior() -> None:
    """0 with closed lips; 1 in the middle of an open mouth, 0 on the lips."""
    pose = pose_at(SIZE)
    assert interior_visibility(points_at(painted.closed(), pose), SIZE).max() == 0
    points = points_at(OPEN, pose)
    share = interior_visibility(points, SIZE)
    middle = points[[13, 14], :2].mean(0).round().astype(int)
    assert share[middle[1], middle[0]] == 1
    assert not share[~ring_mask(points, at.LIP_INNER, SIZE)].any()


def test_colours_follow_the_light_of_the_face() -> None:
    """A darker face has a darker mouth, a grey picture a grey one, and no colour exceeds white."""
    pose = pose_at(SIZE)
    day, dusk, grey = (
        interior(mouth(painted.closed(), skin=skin), OPEN, pose) for skin in (DAYLIGHT, DAYLIGHT / 3, np.full(3, 150.0))
    )
    assert np.nanmean(dusk) < 0.5 * np.nanmean(day)
    assert np.nanmax(np.ptp(grey, axis=-1)) < 1e-6
    assert np.nanmax(interior(mouth(painted.closed(), skin=np.full(3, 255.0)), OPEN, pose)) <= 255
    warm, cold = (lighting(skin)[0] for skin in (DAYLIGHT * [1.3, 1, 0.7], DAYLIGHT * [0.7, 1, 1.3]))
    assert warm[0] > warm[2]
    assert cold[0] < cold[2]
