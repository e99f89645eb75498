"""Landmarks of the face model's face, and the square around landmarks that Bi-layer head avatars are trained on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from facepipe.face.model import FaceModel
from facepipe.face.pose import rotation_of
from facepipe.models.rows import row_product
from facepipe.spaces.coefficients import Coefficients, Floats
from facepipe.spaces.gaps import held_shot
from facepipe.spaces.keypoints68.coefficients import KeypointCoefficients, with_keypoints
from facepipe.spaces.travel import SLOW_SECONDS, groups_of, slow_part

# Part of a box's half side by which it is moved up, so that it contains the hair.
RAISE_RATIO = 1 / 6
# Turn of the head at which a face's deviation from the model has faded to 0.6: seen from elsewhere it is another one.
# On six clips this has a smaller error than keeping it or leaving it out.
FADING_RADIANS = 0.25


class Box(NamedTuple):
    """A square around a face, one a frame, in half sides of the crop from its middle."""

    center: Floats
    """(T, 2)"""
    half_side: Floats
    """(T,)"""

    def normalised(self, keypoints: Floats) -> Floats:
        """Convert (T, 68, 2) landmarks of the crop to the box, in which they are from -1 to 1."""
        return np.asarray((keypoints - self.center[:, None]) / self.half_side[:, None, None])

    def placed(self, normalised: Floats) -> Floats:
        """Convert (T, 68, 2) landmarks of the box to the crop."""
        return np.asarray(self.center[:, None] + self.half_side[:, None, None] * normalised)


def box_around(keypoints: Floats) -> Box:
    """Return the boxes around (T, 68, 2) landmarks by the rule of Zakharov et al., but not rounded to pixels.

    Half the side is the longer side of the landmarks' extent, and the box is raised by a sixth of that.
    """
    low, high = keypoints.min(1), keypoints.max(1)
    half_side = (high - low).max(1)
    center = (low + high) / 2
    center[:, 1] -= RAISE_RATIO * half_side
    return Box(center, half_side)


def steady_box(coefficients: KeypointCoefficients) -> Box:
    """Return the boxes around the landmarks of a clip, steadied in each shot.

    The published programs choose the box of each frame by itself, so that it follows the jaw and the noise of the
    detector. Here only its slow part remains.
    """
    box, fps = box_around(coefficients.keypoints), float(coefficients.fps)
    rows = np.column_stack([*box])
    for group in groups_of(held_shot(coefficients)):
        for column in rows.T:
            column[group] = slow_part(column[group], SLOW_SECONDS * fps)
    return Box(rows[:, :2], rows[:, 2])


def projected(coefficients: Coefficients, model: FaceModel) -> Floats:
    """Return the (T, 68, 2) landmarks of the model's face, as `KeypointCoefficients.keypoints`."""
    points, count = model.sixty_eight, len(coefficients)
    offsets = row_product(coefficients.expression, model.expression[:, points].reshape(len(model.expression), -1))
    shape = model.neutral(coefficients.identity)[0][points] + offsets.reshape(count, len(points), 3)
    turned = np.einsum("tnk,tdk->tnd", shape, rotation_of(coefficients.angles)[:, :2])
    return np.asarray(coefficients.translation[:, None, :2] + _unit(coefficients)[:, None, None] * turned)


def followed(made: Coefficients, before: Coefficients, model: FaceModel) -> KeypointCoefficients:
    """Return coefficients with the landmarks that `before` has after the motion of `made`.

    The landmarks of `before` (1 or T rows) deviate from those of the model's face. The deviations are turned and scaled
    with the head in the picture plane, and fade as it turns out of that; coefficients in `linear478` have none.
    """
    keypoints = projected(made, model)
    if isinstance(before, KeypointCoefficients):
        deviation = before.keypoints - projected(before, model)
        turn = made.angles - before.angles
        scale = _unit(made) / _unit(before) * np.exp(-0.5 * (turn[:, :2] ** 2).sum(1) / FADING_RADIANS**2)
        roll = turn[:, 2]
        cos, sin = scale * np.cos(roll), scale * np.sin(roll)
        across, down = deviation[..., 0], deviation[..., 1]
        turned = [cos[:, None] * across - sin[:, None] * down, sin[:, None] * across + cos[:, None] * down]
        keypoints += np.stack(turned, axis=-1)
    return with_keypoints(made, keypoints)


def _unit(coefficients: Coefficients) -> Floats:
    """Return (T,) the length of the model's unit, in half sides of the crop."""
    return np.asarray(np.exp(coefficients.translation[:, 2]))
