"""Colours of a portrait: robust means over pixels that are chosen by landmarks, matte and, if known, maps of parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import PARTS
from facepipe.creation import areas
from facepipe.creation.areas import Doubles, Floats, Mask
from facepipe.creation.observation import SIDE_PIXELS, Observation
from facepipe.face import topology as at

NAMES = ("skin", "hair", "brows", "lips", "eyes", "clothes")
"""Colours that are measured; "brows" are the hair's palette too."""
CENTRAL = {
    "skin": (30, 88),
    "hair": (20, 80),
    "brows": (5, 50),
    "lips": (25, 80),
    "eyes": (20, 75),
    "clothes": (25, 75),
}
"""Percentiles of lightness between which pixels count: shadows and highlights do not."""
FEWEST = {"skin": 60, "hair": 120, "brows": 20, "lips": 30, "eyes": 8, "clothes": 200}
"""Pixels below which a colour is not measured."""
SURE_PIXELS = 8
"""Multiple of the fewest pixels from which on their number raises no doubt."""
DOUBT = 25.0
"""Delta E of the pixels about their mean at which a measure is worth half."""
COVERED = 0.9
"""Share of the person, and of the portrait, above which a pixel counts."""
UNLIKE = 3.2
"""Distance from the skin's colours, in their standard deviations, from which on a pixel is no skin."""
SKIN_SPREAD = np.array([9.0, 4.5, 5.0, 0.45])
"""Least standard deviations of a face's skin in Lab, and of its roughness."""
STRAND_PIXELS, ROUGH_PIXELS = 1.5, 3.0
"""Standard deviations of the blur that strands of hair differ from, and of the mean of these differences."""
BARE_SHARE = 0.16
"""Share of hair in the area of the skull below which a head is bald."""
CLEAR = 0.5
"""Probability of a part above which a pixel belongs to it."""


@dataclass(frozen=True, eq=False)
class Measure:
    """A measured colour."""

    lab: Doubles
    """(3,), CIE Lab under D65: lightness 0 to 100, a to red, b to yellow."""
    certainty: float
    """0 to 1, by the number of pixels and by how alike they are."""


def lab_of(srgb: NDArray[np.floating] | NDArray[np.uint8]) -> Doubles:
    """Return CIE Lab (..., 3) of sRGB, uint8 or in [0, 1]."""
    values = np.asarray(srgb, np.float32) / (255 if srgb.dtype == np.uint8 else 1)
    flat = cv2.cvtColor(values.reshape(-1, 1, 3), cv2.COLOR_RGB2LAB)
    return flat.reshape(values.shape).astype(np.float64)


def lab_of_light(light: NDArray[np.floating]) -> Doubles:
    """Return CIE Lab (..., 3) of linear RGB in [0, 1]; values outside are clipped."""
    values = np.clip(np.asarray(light, np.float32), 0, 1)
    return cv2.cvtColor(values.reshape(-1, 1, 3), cv2.COLOR_LRGB2LAB).reshape(values.shape).astype(np.float64)


def light_of(lab: NDArray[np.floating]) -> Doubles:
    """Return linear RGB (..., 3) in [0, 1] of CIE Lab; colours outside of sRGB are clipped."""
    values = np.asarray(lab, np.float32)
    light = cv2.cvtColor(values.reshape(-1, 1, 3), cv2.COLOR_LAB2LRGB)
    return np.clip(light, 0, 1).reshape(values.shape).astype(np.float64)


def measure(observation: Observation, parts: Floats | None = None) -> Mapping[str, Measure | None]:
    """Return the colours of a portrait by name, None for what it does not show.

    Args:
        observation: The portrait.
        parts: (256, 256, len(PARTS) + 1), probabilities of the background and of PARTS in each pixel, if a network
            knows them. Without it, hair is what is not like skin above and beside the face.
    """
    lab = lab_of(observation.picture)
    points = observation.points[list(at.SIXTY_EIGHT)].astype(np.float64)
    there = _eroded((observation.matte > COVERED) & (observation.inside > COVERED))
    skin = _skin_area(lab, points, there & _is("skin", parts))
    colour = robust(lab[skin], "skin")
    if colour is None:
        return dict.fromkeys(NAMES)
    unlike = _unlike(lab, skin)
    if parts is None:
        hair, clothes = _hair_area(points, there, unlike), _clothes_area(points, there) & unlike
    else:
        hair = there & _is("hair", parts) & areas.upper(points, SIDE_PIXELS)
        clothes = there & _is("clothes", parts)
    found = {
        "hair": hair,
        "brows": areas.brows(points, SIDE_PIXELS) & there,
        "lips": areas.lips(points, SIDE_PIXELS) & there,
        "eyes": _iris_area(observation.points) & there,
        "clothes": clothes,
    }
    return {"skin": colour, **{name: robust(lab[area], name) for name, area in found.items()}}


def robust(pixels: Doubles, name: str) -> Measure | None:
    """Return the mean of Lab pixels (K, 3) of a part without shadows and highlights; None if there are too few."""
    if len(pixels) < FEWEST[name]:
        return None
    low, high = np.percentile(pixels[:, 0], CENTRAL[name])
    chosen = pixels[(pixels[:, 0] >= low) & (pixels[:, 0] <= high)]
    # The median of the colour is less moved by what does not belong to the part than the mean.
    colour = np.median(chosen, axis=0)
    away = float(np.linalg.norm(chosen - colour, axis=1).mean())
    enough = min(1.0, len(pixels) / (SURE_PIXELS * FEWEST[name]))
    return Measure(colour, enough / (1 + (away / DOUBT) ** 2))


def _is(name: str, parts: Floats | None) -> Mask:
    if parts is None:
        return np.ones((SIDE_PIXELS, SIDE_PIXELS), bool)
    likely: Mask = parts[..., PARTS.index(name) + 1] > CLEAR
    return likely


def _eroded(mask: Mask) -> Mask:
    """Return a mask without its border, where colours are mixed."""
    inner: Mask = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    return inner


def _skin_area(lab: Doubles, points: Doubles, there: Mask) -> Mask:
    """Return the cheeks, and the forehead where no fringe covers it."""
    cheeks = areas.cheeks(points, SIDE_PIXELS) & there
    forehead = areas.forehead(points, SIDE_PIXELS) & there
    if cheeks.sum() < FEWEST["skin"]:
        return cheeks | forehead
    return cheeks | (forehead & ~_unlike(lab, cheeks))


def _unlike(lab: Doubles, skin: Mask) -> Mask:
    """Return where a picture is not like its pixels `skin`: of another colour, or rougher, as light hair is."""
    blurred = cv2.GaussianBlur(lab[..., 0], (0, 0), STRAND_PIXELS)
    rough = cv2.GaussianBlur(np.abs(lab[..., 0] - blurred), (0, 0), ROUGH_PIXELS)
    features = np.concatenate([lab, rough[..., None]], axis=2)
    known = features[skin]
    away = (features - np.median(known, axis=0)) / np.maximum(SKIN_SPREAD, known.std(axis=0))
    # Smoother than skin is no sign of hair.
    away[..., 3] = np.maximum(away[..., 3], 0)
    far: Mask = np.linalg.norm(away, axis=2) > UNLIKE
    return far


def _hair_area(points: Doubles, there: Mask, unlike: Mask) -> Mask:
    """Return what is not like skin above and beside the face; nothing on a bald head."""
    rows, columns = np.mgrid[:SIDE_PIXELS, :SIDE_PIXELS]
    unit = areas.eye_distance(points)
    outside = there & ~areas.face(points, SIDE_PIXELS)
    skull = outside & (rows < points[17:27, 1].min() - 0.35 * unit)
    if (skull & unlike).sum() < BARE_SHARE * max(skull.sum(), 1):
        return np.zeros_like(there)
    beside = outside & areas.upper(points, SIDE_PIXELS) & (rows >= points[17:27, 1].min() - 0.35 * unit)
    beside &= (columns < points[:17, 0].min() - 0.1 * unit) | (columns > points[:17, 0].max() + 0.1 * unit)
    hair: Mask = (skull | beside) & unlike
    return hair


def _clothes_area(points: Doubles, there: Mask) -> Mask:
    rows = np.mgrid[:SIDE_PIXELS, :SIDE_PIXELS][0]
    area: Mask = there & (rows > points[8, 1] + 0.9 * areas.eye_distance(points))
    return area


def _iris_area(points: Floats) -> Mask:
    """Return the irises between the lids without their pupils."""
    rows, columns = np.mgrid[:SIDE_PIXELS, :SIDE_PIXELS]
    area = np.zeros((SIDE_PIXELS, SIDE_PIXELS), bool)
    for iris in (at.RIGHT_IRIS, at.LEFT_IRIS):
        middle, rim = points[iris[0], :2], points[list(iris[1:]), :2]
        radius = float(np.linalg.norm(rim - middle, axis=1).mean())
        away = np.hypot(columns - middle[0], rows - middle[1]) / max(radius, 1e-6)
        area |= (away > 0.35) & (away < 0.95)
    return area & areas.filled([points[list(eye), :2] for eye in (at.RIGHT_EYE, at.LEFT_EYE)], SIDE_PIXELS)
