"""Positions of pictures and of faces in them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from facepipe.evaluate.tracked_clip import face_points
from facepipe.face.cropping import sample, whole_picture
from facepipe.face.fitting import fit
from facepipe.spaces.coefficients import from_fit
from tests.evaluate.motions import FRAMES, moving_points
from tests.face.faces import face_model


def test_a_whole_picture_stays_as_it_is() -> None:
    """At its own size not a pixel changes; at half the size each is the mean of four."""
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    np.testing.assert_array_equal(sample(picture, whole_picture(64), 64), picture)
    half = picture.reshape(32, 2, 32, 2, 3).mean((1, 3))
    np.testing.assert_allclose(sample(picture, whole_picture(64), 32), half, atol=1)


def test_coefficients_of_a_whole_picture_place_the_face_where_it_was() -> None:
    """From points to coefficients and back, to a fraction of a pixel."""
    points, valid = moving_points(), np.ones(FRAMES, bool)
    fitted = fit(face_model(), points, valid)
    made = from_fit(fitted, valid, fps=Fraction(25), crop=whole_picture(256), picture_size=(256, 256))
    apart = (face_points(made, face_model(), 256) - points)[..., :2]
    assert np.abs(apart.mean((0, 1))).max() < 0.05
    assert np.linalg.norm(apart, axis=-1).mean() < 0.5
