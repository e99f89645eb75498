"""How far mouth and eyes are open, and the drawing of eyes that the source keeps closed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology

Floats = NDArray[np.float32]

# Colours (RGB) under the light of a face of luminance 150.
LASHES = np.array([112, 80, 68.0])
IRIS, SCLERA, PUPIL = np.array([74, 52, 40.0]), np.array([188, 180, 176.0]), np.array([18, 14, 14.0])
UPPER = [78, *topology.LIP_INNER_UPPER, 308]
LOWER = [78, *topology.LIP_INNER_LOWER, 308]

EYES = (
    (topology.RIGHT_LID_UPPER, topology.RIGHT_LID_LOWER, topology.RIGHT_IRIS),
    (topology.LEFT_LID_UPPER, topology.LEFT_LID_LOWER, topology.LEFT_IRIS),
)
Eye = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def gap_attributes(points: NDArray[np.floating]) -> Floats:
    """Return (478, 2) values to rasterise: 0 at the upper lip and 1 at the lower; the gap between them in pixels."""
    values = np.zeros((topology.POINT_COUNT, 2), np.float32)
    gap = np.maximum(0, ((points[LOWER] - points[UPPER])[:, :2] ** 2).sum(1) ** 0.5)
    values[UPPER, 1] = values[LOWER, 1] = gap
    values[LOWER, 0] = 1
    values[[78, 308], 0] = 0.5
    return values


def mouth_gap(points: NDArray[np.floating]) -> float:
    """Return the widest gap between the inner lips, in the unit of the points; lips that cross count as closed."""
    gap = points[list(topology.LIP_INNER_LOWER), :2] - points[list(topology.LIP_INNER_UPPER), :2]
    down = points[topology.CHIN, :2] - points[topology.NOSE_TIP, :2]
    return float(max(0.0, (gap @ (down / np.linalg.norm(down))).max()))


def eye_gap(points: NDArray[np.floating], eye: Eye) -> float:
    """Return the mean gap between the lids of one of EYES, in the unit of the points."""
    upper, lower, _ = eye
    down = points[topology.CHIN, :2] - points[topology.FOREHEAD, :2]
    gap = points[list(lower), :2] - points[list(upper), :2]
    return float(max(0.0, (gap @ (down / np.linalg.norm(down))).mean()))


def with_centres_inside(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return (478, 3) points whose iris centres lie between the lids: the eyeballs are fans around them."""
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


def drawn_share(own: float, wanted: float, *, at_least: float, enough: tuple[float, float] = (0.25, 0.6)) -> float:
    """Return how much of an opening is drawn, 0 to 1: nothing where the source's own need not be stretched much."""
    if own < at_least:
        return 1.0 if wanted > own else 0.0
    none, all_own = enough
    return 1 - float(np.clip((own / max(wanted, 1e-6) - none) / (all_own - none), 0, 1))


def lash_line(mask: NDArray[np.bool_], points: NDArray[np.floating], eye: Eye) -> NDArray[np.bool_]:
    """Return the slit between closed lids grown downwards, over the wet rim that an open lower lid shows.

    Lids that have crossed leave no slit, but still what clung to them: the line between them counts in any case.
    """
    upper, lower, _ = eye
    reach, line = max(1, round(mask.shape[0] / 256)), mask.astype(np.uint8)
    middle = (points[list(upper), :2] + points[list(lower), :2]) / 2
    cv2.polylines(line, [middle.round().astype(np.int32)], isClosed=False, color=1)
    return cv2.dilate(line, np.ones((reach + 1, 1), np.uint8), anchor=(0, reach)) > 0


def lashes(count: int, *, luminance: float) -> Floats:
    """Return (count, 3) RGB of the line where closed lids meet."""
    return np.tile(LASHES * np.clip(luminance / 150, 0.25, 1.2), (count, 1)).astype(np.float32)


def drawn_eye(inside: NDArray[np.bool_], points: NDArray[np.floating], eye: Eye, *, luminance: float) -> Floats:
    """Return (N, 3) RGB of a drawn eyeball for the N pixels of a mask."""
    rows, columns = np.nonzero(inside)
    center, ring = points[eye[2][0], :2], points[list(eye[2][1:]), :2]
    radius = float(np.linalg.norm(ring - center, axis=1).mean())
    distance = np.hypot(columns - center[0], rows - center[1])[:, None]
    iris = np.clip(radius + 0.5 - distance, 0, 1)
    pupil = np.clip(0.45 * radius + 0.5 - distance, 0, 1)
    # The upper lid and its lashes shade the ball.
    shade = 0.7 + 0.3 * np.clip((rows - rows.min()) / max(1, np.ptp(rows)) * 1.5, 0, 1)[:, None]
    colour = (SCLERA + iris * (IRIS - SCLERA)) * shade
    colour = (colour + pupil * (PUPIL - colour)) * np.clip(luminance / 150, 0.25, 1.2)
    return np.asarray(colour, np.float32)


def blend(image: NDArray[np.uint8], mask: NDArray[np.bool_], colour: Floats, share: float) -> NDArray[np.uint8]:
    """Lay (N, 3) colours on the masked pixels with a soft edge and a share in [0, 1]; changes and returns `image`."""
    rows, columns = np.nonzero(mask)
    top, bottom, left, right = rows.min() - 2, rows.max() + 3, columns.min() - 2, columns.max() + 3
    window = (slice(max(0, top), bottom), slice(max(0, left), right))
    layer = np.zeros((*mask[window].shape, 3), np.float32)
    inside = mask[window].astype(np.float32)
    layer[mask[window]] = colour
    soft = cv2.GaussianBlur(inside, (0, 0), 0.8)
    spread = cv2.GaussianBlur(layer, (0, 0), 0.8) / np.maximum(soft, 1e-3)[..., None]
    weight = (np.clip(soft * 1.6 - 0.3, 0, 1) * share)[..., None]
    image[window] = (image[window] * (1 - weight) + np.clip(spread, 0, 255) * weight).astype(np.uint8)
    return image
