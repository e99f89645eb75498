"""Remarks on portraits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facepipe.avatar.vector import AvatarVector
from facepipe.creation.remarks import appearance_remarks, check_face, covered_share, hair_remarks, portrait_remarks
from facepipe.engine.remark import Remark
from facepipe.errors import NoFaceError
from tests.creation.faces import mean_points, observed, opened

SIZE = (440, 440)
FRONT = np.zeros(3)


def codes(found: list[Remark]) -> list[str]:
    return [one.code for one in found]


def test_a_good_portrait_has_none() -> None:
    assert portrait_remarks(mean_points(), FRONT, SIZE) == []
    assert appearance_remarks(observed()) == []


@pytest.mark.parametrize(("angles", "words"), [((0, 25, 0), "side by 25"), ((-30, 5, 0), "up or down by 30")])
def test_a_turned_head(angles: tuple[float, ...], words: str) -> None:
    (found,) = portrait_remarks(mean_points(), np.radians(angles), SIZE)
    assert found.code == "head-turned"
    assert words in found.text
    assert portrait_remarks(mean_points(), np.radians((15, 15, 80)), SIZE) == []


def test_an_open_mouth() -> None:
    assert codes(portrait_remarks(opened(mean_points(), 20), FRONT, SIZE)) == ["mouth-open"]


def test_a_face_and_a_head_that_are_cut_off() -> None:
    points = mean_points()
    assert codes(portrait_remarks(points - (0, points[:, 1].min(), 0), FRONT, SIZE)) == ["head-cut"]
    left, right = points[:, 0].min(), points[:, 0].max()
    cut, half = (points - (left + share * (right - left), 0, 0) for share in (0.2, 0.5))
    assert codes(portrait_remarks(cut, FRONT, SIZE)) == ["face-cut-off", "head-cut"]
    check_face(cut, SIZE)
    with pytest.raises(NoFaceError, match="outside of the picture"):
        check_face(half, SIZE)


def test_a_covered_face() -> None:
    seen = observed()
    assert covered_share(seen) < 0.05
    matte = seen.matte.copy()
    matte[135:] = 0
    hidden = replace(seen, matte=matte)
    assert 0.2 < covered_share(hidden) < 0.8
    assert codes(appearance_remarks(hidden)) == ["face-covered"]
    # Beyond the edges of the picture nothing covers it.
    assert covered_share(replace(hidden, inside=(matte > 0).astype(np.float32))) < 0.1


def test_a_picture_without_colours() -> None:
    seen = observed()
    grey = np.repeat(seen.picture.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    assert codes(appearance_remarks(replace(seen, picture=grey))) == ["grey-picture"]


def test_no_hair() -> None:
    assert codes(hair_remarks(AvatarVector(choices={"hair": "none"}))) == ["no-hair"]
    assert hair_remarks(AvatarVector(choices={"hair": "none", "hat": "beanie"})) == []
    assert hair_remarks(AvatarVector(choices={"hair": "bob"})) == []
