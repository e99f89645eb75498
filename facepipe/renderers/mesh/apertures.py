"""Apertures of mouth and eyes: how far they are open, and how much of their inside has to be rendered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology

UPPER = [78, *topology.LIP_INNER_UPPER, 308]
LOWER = [78, *topology.LIP_INNER_LOWER, 308]
EYES = (
    (topology.RIGHT_LID_UPPER, topology.RIGHT_LID_LOWER, topology.RIGHT_IRIS),
    (topology.LEFT_LID_UPPER, topology.LEFT_LID_LOWER, topology.LEFT_IRIS),
)
Eye = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Indices of upper lid, lower lid, and iris (its centre first)."""


def gap_attributes(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (478, 2) vertex attributes: 0 at the upper and 1 at the lower lip; the gap between them in pixels."""
    values = np.zeros((topology.POINT_COUNT, 2), np.float32)
    gap = np.maximum(0, ((points[LOWER] - points[UPPER])[:, :2] ** 2).sum(1) ** 0.5)
    values[UPPER, 1] = values[LOWER, 1] = gap
    values[LOWER, 0] = 1
    values[[78, 308], 0] = 0.5
    return values


def mouth_aperture(points: NDArray[np.floating]) -> float:
    """Return the largest gap between the inner lips, in the unit of the points. Crossed lips are closed."""
    gap = points[list(topology.LIP_INNER_LOWER), :2] - points[list(topology.LIP_INNER_UPPER), :2]
    down = points[topology.CHIN, :2] - points[topology.NOSE_TIP, :2]
    return float(max(0.0, (gap @ (down / np.linalg.norm(down))).max()))


def eye_aperture(points: NDArray[np.floating], eye: Eye) -> float:
    """Return the mean gap between the lids of one of EYES, in the unit of the points. Crossed lids are closed."""
    upper, lower, _ = eye
    down = points[topology.CHIN, :2] - points[topology.FOREHEAD, :2]
    gap = points[list(lower), :2] - points[list(upper), :2]
    return float(max(0.0, (gap @ (down / np.linalg.norm(down))).mean()))


def with_centres_inside(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return a copy of (478, 3) points with the iris centres clamped between the lids.

    The triangles of an eyeball are a fan around its iris centre, which must not lie outside of the eye.
    """
    result = points.copy()
    for upper, lower, iris in EYES:
        lids = points[[*upper, *lower], :2]
        middle, across = lids.mean(0), points[upper[-1], :2] - points[upper[0], :2]
        width = max(float(np.linalg.norm(across)), 1e-6)
        axes = np.array([across, [-across[1], across[0]]]) / width
        reach = np.array([0.4 * width, 0.35 * np.linalg.norm(points[upper[3], :2] - points[lower[3], :2])])
        offset = np.clip(axes @ (points[iris[0], :2] - middle), -reach, reach)
        result[iris[0], :2] = middle + offset @ axes
    return result


def rendered_share(
    source: float, target: float, *, min_source: float, ratios: tuple[float, float] = (0.25, 0.6)
) -> float:
    """Return the share, in [0, 1], with which the inside of an aperture is rendered over the warped source.

    Args:
        source: Aperture in the source.
        target: Aperture in the target.
        min_source: Below this the inside is not usable from the source, and rendered fully where the target is wider.
        ratios: Ratios of source to target aperture. Up to the first the inside is rendered fully, from the second on
            not at all: the warp then has to stretch the source only a little.
    """
    if source < min_source:
        return 1.0 if target > source else 0.0
    none, all_source = ratios
    return 1 - float(np.clip((source / max(target, 1e-6) - none) / (all_source - none), 0, 1))
