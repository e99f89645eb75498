"""What is drawn between lids and lips, and how much of it."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.face import topology as at
from facepipe.renderers.mesh import openings
from tests.face.faces import posed


@pytest.mark.parametrize("roll", [0, 90, -140])
def test_gaps_are_measured_along_the_face(roll: float) -> None:
    """Lips and lids gape alike however the head is rolled; opening and closing them tells."""
    degrees = (0, 0, roll)
    rest = posed(degrees=degrees, size=1)
    wide, asleep = (
        posed(degrees=degrees, size=1, controls=controls)
        for controls in ({"mouth_open": 1.0, "jaw_open": 1.0}, {"blink_left": 1.3, "blink_right": 1.3})
    )
    assert openings.mouth_gap(rest) == pytest.approx(openings.mouth_gap(posed(size=1)), abs=1e-6)
    assert openings.mouth_gap(wide) > openings.mouth_gap(rest) + 0.15
    for eye in openings.EYES:
        assert openings.eye_gap(rest, eye) == pytest.approx(openings.eye_gap(posed(size=1), eye), abs=1e-6)
        assert openings.eye_gap(asleep, eye) < 0.2 * openings.eye_gap(rest, eye)


def test_crossed_lips_are_closed() -> None:
    """Upper lip below the lower one is no gap."""
    points = posed(size=100)
    upper, lower = list(at.LIP_INNER_UPPER), list(at.LIP_INNER_LOWER)
    points[lower, 1] = points[upper, 1] - 3
    assert openings.mouth_gap(points) == 0


def test_more_is_drawn_the_less_the_source_shows() -> None:
    """Nothing where the source's own is wide enough, all where it is closed, and no jump between."""
    assert openings.drawn_share(0.2, 0.25, at_least=0.03) == 0
    assert openings.drawn_share(0.001, 0.2, at_least=0.03) == 1
    assert openings.drawn_share(0.001, 0.0005, at_least=0.03) == 0
    assert openings.drawn_share(0.1, 0.2, at_least=0.03, enough=(0.4, 0.6)) == pytest.approx(0.5)
    shares = [openings.drawn_share(0.05, wanted, at_least=0.03) for wanted in np.linspace(0.01, 0.5, 200)]
    assert (np.diff(shares) >= 0).all()
    assert np.diff(shares).max() < 0.1
    assert shares[0] == 0
    assert shares[-1] == 1


def test_iris_centres_stay_between_the_lids() -> None:
    """A gaze far out of the eye is held within it, one inside is left alone."""
    points = posed(size=100)
    assert np.abs(openings.with_centres_inside(points) - points).max() < 6
    far = points.copy()
    far[[at.RIGHT_IRIS[0], at.LEFT_IRIS[0]], 0] += 500
    held = openings.with_centres_inside(far)
    for iris, eye in ((at.RIGHT_IRIS[0], at.RIGHT_EYE), (at.LEFT_IRIS[0], at.LEFT_EYE)):
        ring = points[list(eye), 0]
        assert ring.min() < held[iris, 0] < ring.max()


@pytest.mark.parametrize("place", [(0, 0), (20, 15), (35, 30)])
def test_blending_has_a_soft_edge_and_stays_near(place: tuple[int, int]) -> None:
    """The middle takes the colour, pixels a few off stay as they are, also at the picture's corners."""
    image, mask = np.full((40, 36, 3), 100, np.uint8), np.zeros((40, 36), bool)
    mask[place[0] : place[0] + 9, place[1] : place[1] + 9] = True
    colour = np.tile(np.array([200, 20, 20], np.float32), (int(mask.sum()), 1))
    openings.blend(image, mask, colour, 1.0)
    inner = np.argwhere(mask).mean(0).round().astype(int)
    np.testing.assert_allclose(image[inner[0], inner[1]], [200, 20, 20], atol=2)
    rows, columns = np.nonzero(mask)
    image[max(0, rows.min() - 3) : rows.max() + 4, max(0, columns.min() - 3) : columns.max() + 4] = 100
    assert (image == 100).all()
