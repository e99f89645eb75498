"""A portrait with an open mouth closes it where the driver does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facepipe.face.portrait import OPEN_MOUTH, portrait_remarks
from facepipe.spaces.linear478.motion import openings
from facepipe.spaces.retargeting import Retargeting
from tests.face.faces import astronaut_track, face_model
from tests.field.motions import moving, portrait

OPENING = face_model().controls["mouth_open"].direction


def opened(start: float, end: float) -> np.ndarray:
    """Return (20, 64): expressions whose mouth opens from `start` to `end` of the control."""
    return np.linspace(start, end, 20)[:, None] * OPENING


@pytest.mark.parametrize("own", [0.2, 0.6, 1.5])
def test_lips_meet_where_a_silent_driver_s_do(own: float) -> None:
    source = replace(portrait(), expression=own * OPENING[None])
    driving = moving(np.zeros(20))
    found = source.space.retarget(source, driving, Retargeting(), face_model())
    closed = openings(driving, face_model())[0, 0]
    np.testing.assert_allclose(openings(found, face_model())[:, 0], closed, atol=0.01)
    assert openings(source, face_model())[0, 0] > closed + 0.03


def test_the_opening_is_the_driver_s() -> None:
    """A speaking driver opens the mouth as far as its own, not farther by the portrait's opening."""
    source, driving = replace(portrait(), expression=0.8 * OPENING[None]), moving(np.zeros(20))
    driving = replace(driving, expression=opened(0, 0.5))
    found = source.space.retarget(source, driving, Retargeting(), face_model())
    gaps = [openings(one, face_model())[:, 0] for one in (found, driving)]
    np.testing.assert_allclose(gaps[0], np.maximum(gaps[1], 0), atol=0.02)


def test_a_closed_portrait_and_a_named_reference_are_not_changed() -> None:
    driving = replace(moving(np.zeros(20)), expression=opened(0, 1))
    closed, wide = portrait(), replace(portrait(), expression=0.8 * OPENING[None])
    for source, how in ((closed, Retargeting()), (wide, Retargeting(reference="first"))):
        found = source.space.retarget(source, driving, how, face_model())
        np.testing.assert_allclose(found.expression[0], source.expression[0], atol=1e-12)
    still = wide.space.retarget(wide, driving, Retargeting(strength=0), face_model())
    np.testing.assert_allclose(still.expression, np.repeat(wide.expression, 20, 0))


def test_an_open_mouth_of_the_source_is_said() -> None:
    """The astronaut's smile shows her teeth; with her lower lip farther down, the remark gives the distance."""
    points = astronaut_track().points[0].astype(float)
    lower = [87, 14, 317]
    closed, wide = points.copy(), points.copy()
    closed[lower] = points[[82, 13, 312]]
    wide[lower, 1] += 0.4 * np.linalg.norm(points[33] - points[263])
    assert "mouth-open" not in [one.code for one in portrait_remarks(closed, np.zeros(3), (320, 300))]
    assert "mouth-open" in [one.code for one in portrait_remarks(wide, np.zeros(3), (320, 300))]
    assert OPEN_MOUTH < 0.4
