"""Observations: what lies beyond the edges of a portrait."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.creation.observation import SIDE_PIXELS, face_frame, observe
from facepipe.face.cropping import invert
from tests.creation.faces import mean_points


@pytest.mark.parametrize("scale", [40.0, 130.0, 260.0])
def test_matte_and_inside_end_at_the_edges(scale: float) -> None:
    """Every pixel of the frame is compared with its place in the picture."""
    points = mean_points(scale, 1.1 * scale)
    height, width = round(2.3 * scale), round(2.0 * scale)
    picture = np.full((height, width, 3), 100, np.uint8)
    seen = observe(picture, np.ones((height, width), np.float32), points, points)
    back = invert(face_frame(points).matrix(SIDE_PIXELS))
    rows, columns = np.mgrid[:SIDE_PIXELS, :SIDE_PIXELS]
    places = np.stack([columns, rows], axis=-1) @ back[:, :2].T + back[:, 2]
    within = ((places > -0.5) & (places < np.array([width, height]) - 0.5)).all(axis=-1)
    assert 0.05 < within.mean() < 0.6
    for plane in (seen.matte, seen.inside):
        assert ((plane > 0.5) != within).mean() < 2e-3
        # Edges are soft over two pixels or less of the frame.
        assert ((plane > 0) & ~within).mean() < 0.05
        assert plane[0, 0] == 0
