"""Synthetic eyeballs and lashes, for eyes that are closed in the source or in the target."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.renderers.mesh.apertures import Eye

Floats = NDArray[np.float32]
# Colours (RGB) for a face of luminance 150.
LASHES = np.array([112, 80, 68.0])
IRIS, SCLERA, PUPIL = np.array([74, 52, 40.0]), np.array([188, 180, 176.0]), np.array([18, 14, 14.0])


def lash_line(mask: NDArray[np.bool_], points: NDArray[np.floating], eye: Eye) -> NDArray[np.bool_]:
    """Return the mask of the lashes of a closed eye.

    It is the slit between the lids (`mask`) grown downwards, to cover the wet margin that an open lower lid shows. The
    line midway between the lids always belongs to it: lids that cross leave no slit.
    """
    upper, lower, _ = eye
    reach, line = max(1, round(mask.shape[0] / 256)), mask.astype(np.uint8)
    middle = (points[list(upper), :2] + points[list(lower), :2]) / 2
    cv2.polylines(line, [middle.round().astype(np.int32)], isClosed=False, color=1)
    return cv2.dilate(line, np.ones((reach + 1, 1), np.uint8), anchor=(0, reach)) > 0


def lash_colours(count: int, *, luminance: float) -> Floats:
    """Return (count, 3) RGB of lashes on a face of a luminance in [0, 255]."""
    return np.tile(LASHES * np.clip(luminance / 150, 0.25, 1.2), (count, 1)).astype(np.float32)


def eyeball_colours(inside: NDArray[np.bool_], points: NDArray[np.floating], eye: Eye, *, luminance: float) -> Floats:
    """Return (N, 3) RGB of an eyeball for the N pixels of a mask, on a face of a luminance in [0, 255]."""
    rows, columns = np.nonzero(inside)
    center, ring = points[eye[2][0], :2], points[list(eye[2][1:]), :2]
    radius = float(np.linalg.norm(ring - center, axis=1).mean())
    distance = np.hypot(columns - center[0], rows - center[1])[:, None]
    iris = np.clip(radius + 0.5 - distance, 0, 1)
    pupil = np.clip(0.45 * radius + 0.5 - distance, 0, 1)
    # The upper lid and its lashes shade the eyeball.
    shade = 0.7 + 0.3 * np.clip((rows - rows.min()) / max(1, np.ptp(rows)) * 1.5, 0, 1)[:, None]
    colour = (SCLERA + iris * (IRIS - SCLERA)) * shade
    colour = (colour + pupil * (PUPIL - colour)) * np.clip(luminance / 150, 0.25, 1.2)
    return np.asarray(colour, np.float32)
