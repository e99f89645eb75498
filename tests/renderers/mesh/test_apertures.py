"""Apertures of mouth and eyes, and the share of rendered interior."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.face import topology as at
from facepipe.renderers.mesh import apertures
from tests.face.faces import posed


@pytest.mark.parametrize("roll", [0, 90, -140])
def test_apertures_are_measured_along_the_face(roll: float) -> None:
    """Roll does not change an aperture; opening the mouth and closing the eyes does."""
    degrees = (0, 0, roll)
    rest = posed(degrees=degrees, size=1)
    wide, asleep = (
        posed(degrees=degrees, size=1, controls=controls)
        for controls in ({"mouth_open": 1.0, "jaw_open": 1.0}, {"blink_left": 1.3, "blink_right": 1.3})
    )
    assert apertures.mouth_aperture(rest) == pytest.approx(apertures.mouth_aperture(posed(size=1)), abs=1e-6)
    assert apertures.mouth_aperture(wide) > apertures.mouth_aperture(rest) + 0.15
    for eye in apertures.EYES:
        assert apertures.eye_aperture(rest, eye) == pytest.approx(apertures.eye_aperture(posed(size=1), eye), abs=1e-6)
        assert apertures.eye_aperture(asleep, eye) < 0.2 * apertures.eye_aperture(rest, eye)


def test_crossed_lips_are_closed() -> None:
    """The aperture is 0 with the upper lip below the lower one."""
    points = posed(size=100)
    upper, lower = list(at.LIP_INNER_UPPER), list(at.LIP_INNER_LOWER)
    points[lower, 1] = points[upper, 1] - 3
    assert apertures.mouth_aperture(points) == 0


def test_the_rendered_share_grows_as_the_source_shows_less() -> None:
    """0 if the source is open wide enough, 1 if it is closed, continuous in between."""
    assert apertures.rendered_share(0.2, 0.25, min_source=0.03) == 0
    assert apertures.rendered_share(0.001, 0.2, min_source=0.03) == 1
    assert apertures.rendered_share(0.001, 0.0005, min_source=0.03) == 0
    assert apertures.rendered_share(0.1, 0.2, min_source=0.03, ratios=(0.4, 0.6)) == pytest.approx(0.5)
    shares = [apertures.rendered_share(0.05, target, min_source=0.03) for target in np.linspace(0.01, 0.5, 200)]
    assert (np.diff(shares) >= 0).all()
    assert np.diff(shares).max() < 0.1
    assert shares[0] == 0
    assert shares[-1] == 1


def test_iris_centres_stay_between_the_lids() -> None:
    """A centre far outside of the eye is clamped into it; one inside is hardly moved."""
    points = posed(size=100)
    assert np.abs(apertures.with_centres_inside(points) - points).max() < 6
    far = points.copy()
    far[[at.RIGHT_IRIS[0], at.LEFT_IRIS[0]], 0] += 500
    clamped = apertures.with_centres_inside(far)
    for iris, eye in ((at.RIGHT_IRIS[0], at.RIGHT_EYE), (at.LEFT_IRIS[0], at.LEFT_EYE)):
        ring = points[list(eye), 0]
        assert ring.min() < clamped[iris, 0] < ring.max()
