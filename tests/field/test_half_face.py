"""A face that its picture shows only in part: completed and said, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facepipe.errors import NoFaceError
from facepipe.face.portrait import PROFILE_RADIANS, portrait_remarks, share_outside
from facepipe.media.image import read_image, write_image
from facepipe.renderers.mesh.symmetry import own_share
from tests.face.faces import astronaut, astronaut_track, face_model
from tests.face.faces import astronaut_portrait as fitted
from tests.pipeline.scene import run

POINTS = astronaut_track().points[0].astype(float)


def cut_at(share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the astronaut without the left `share` of her face's width, and her points in that picture."""
    left, right = POINTS[:468, 0].min(), POINTS[:468, 0].max()
    column = int(left + share * (right - left))
    return np.ascontiguousarray(astronaut()[:, column:]), POINTS - (column, 0, 0)


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0.0, 0.0), (0.25, 0.15, 0.27), (0.5, 0.45, 0.55)])
def test_the_share_of_the_face_outside_is_measured(share: float, low: float, high: float) -> None:
    picture, points = cut_at(share)
    assert low <= share_outside(points, (picture.shape[1], picture.shape[0])) <= high


def test_a_face_far_outside_has_no_area() -> None:
    assert share_outside(POINTS + 5000, (320, 300)) == 1


def test_a_part_is_said_and_half_a_face_is_refused() -> None:
    picture, points = cut_at(0.25)
    codes = [one.code for one in portrait_remarks(points, np.zeros(3), (picture.shape[1], picture.shape[0]))]
    assert "face-cut-off" in codes
    picture, points = cut_at(0.5)
    with pytest.raises(NoFaceError, match="outside of its picture"):
        portrait_remarks(points, np.zeros(3), (picture.shape[1], picture.shape[0]))


def test_a_profile_is_said() -> None:
    size = (320, 300)
    turned = np.array([0.0, PROFILE_RADIANS + 0.1, 0.0])
    assert "profile" in [one.code for one in portrait_remarks(POINTS, turned, size)]
    assert "profile" not in [one.code for one in portrait_remarks(POINTS, turned / 2, size)]


def test_the_missing_side_is_completed_from_the_other(tmp_path: Path) -> None:
    """The head moves into the picture: no row of what was outside repeats one colour, as streaks do."""
    picture, _ = cut_at(0.2)
    write_image(tmp_path / "cut.png", picture)
    out = tmp_path / "out.png"
    made = run("edit", tmp_path / "cut.png", "--move-x", "0.4", "-o", out, "--work", tmp_path / "work")
    assert made.exit_code == 0, made.stderr
    assert "outside of its picture" in made.stderr
    moved = read_image(out).astype(int)
    middle = moved[len(moved) // 3 : 2 * len(moved) // 3, : len(moved) // 10]
    assert (np.abs(np.diff(middle, axis=1)).sum((1, 2)) > 0).mean() > 0.9


def test_the_mirror_point_is_used_outside_of_the_picture() -> None:
    source, _ = fitted(256)
    points = source.points - (source.points[:468, 0].min() + 20, 0, 0)
    share = own_share(points, face_model(), 256)
    assert share[points[:, 0] < 0].max() < 0.05
    assert share[points[:, 0] > 20].min() > 0.9
