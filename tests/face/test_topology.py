"""Point indices of the mesh."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.face import topology as at
from tests.face.faces import face_model

GROUPS = {name: value for name, value in vars(at).items() if isinstance(value, tuple)}


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_groups_contain_unique_points_of_the_mesh(name: str) -> None:
    """No group repeats a point or exceeds the range."""
    group = GROUPS[name]
    assert len(set(group)) == len(group)
    assert min(group) >= 0
    assert max(group) < (at.POINT_COUNT if "IRIS" in name else at.SKIN_COUNT)


@pytest.mark.parametrize(
    ("upper", "lower"),
    [
        (at.RIGHT_LID_UPPER, at.RIGHT_LID_LOWER),
        (at.LEFT_LID_UPPER, at.LEFT_LID_LOWER),
        (at.LIP_INNER_UPPER, at.LIP_INNER_LOWER),
        (at.LIP_OUTER_UPPER, at.LIP_OUTER_LOWER),
    ],
)
def test_upper_and_lower_points_correspond(upper: tuple[int, ...], lower: tuple[int, ...]) -> None:
    """Each lower point is below its upper point, and horizontally the nearest of the lower points."""
    mean = face_model().mean
    assert (mean[list(lower), 1] > mean[list(upper), 1]).all()
    across = np.abs(mean[list(upper), 0][:, None] - mean[list(lower), 0])
    assert (np.diag(across) <= across.min(1) + 0.01).all()


def test_sides_are_mirror_images() -> None:
    """Right groups are the mirror images of left groups, point by point."""
    mirror, mean = face_model().mirror, face_model().mean
    for name, group in GROUPS.items():
        if name.startswith("RIGHT_") and "BROW" not in name and "IRIS" not in name:
            assert tuple(mirror[list(group)]) == GROUPS[name.replace("RIGHT", "LEFT")], name
        if name.startswith("RIGHT_"):
            assert set(mirror[list(group)]) == set(GROUPS[name.replace("RIGHT", "LEFT")]), name
            assert mean[list(group), 0].max() < 0, name
    assert mirror[at.MOUTH_RIGHT] == at.MOUTH_LEFT


def test_the_sixty_eight_points_follow_their_convention() -> None:
    """Their order mirrors like that of 300-W, and jaw, brows, nose, eyes and lips have the expected indices."""
    points = at.SIXTY_EIGHT
    assert len(points) == 68
    order = [
        *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37,
        36, 41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
    ]  # fmt: skip
    assert [int(face_model().mirror[point]) for point in points] == [points[index] for index in order]
    assert points[8] == at.CHIN
    assert points[30] == at.NOSE_TIP
    assert (points[36], points[45], points[48], points[54]) == (33, 263, 61, 291)
    assert {*points[36:42]} < {*at.RIGHT_EYE}
    assert {*points[42:48]} < {*at.LEFT_EYE}
    assert {*points[60:68]} < {*at.LIP_INNER}
