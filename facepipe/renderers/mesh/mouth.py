"""Drawing the inside of a mouth of which the source shows too little: teeth, its own where it shows them, and dark."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology
from facepipe.face.pose import Similarity
from facepipe.renderers.mesh.raster import rasterise
from facepipe.renderers.mesh.teeth import LOWER, MM, UPPER, across_tooth, jaw_shift, teeth_of

Floats = NDArray[np.floating]
# Colours (RGB) under the light of a face of luminance 150.
CAVITY, TONGUE, GUM = np.array([40, 18, 17.0]), np.array([122, 62, 60.0]), np.array([150, 84, 82.0])
TEETH = np.array([206, 192, 178.0])
# Skin over its own luminance, in the light of day.
USUAL_HUE = np.array([1.28, 0.93, 0.79])
# Teeth are drawn so many times as fine as the picture, for smooth edges.
FINER = 2
# Lips blur into the teeth behind them, at 256 pixels.
LIP_BLUR_PIXELS = 1.5


class Mouth:
    """The inside of the mouth of one source portrait."""

    def __init__(
        self, picture: NDArray[np.uint8], points: Floats, pose: Similarity, neutral: Floats, skin: Floats
    ) -> None:
        """Take the (S, S, 3) source, its (478, 3) points in a one-row pose, (478, 3) canonical ones at rest.

        `skin` is its (3,) mean RGB.
        """
        self.picture, self.neutral = picture, neutral
        self.teeth = teeth_of(neutral)
        self.own = self.placed(points, pose)[:, :2]
        self.shown = shown(points, picture.shape[0])
        self.tint, self.colourful = lighting(skin)

    def placed(self, points: Floats, pose: Similarity) -> Floats:
        """Return the (V, 3) vertices of the teeth with the face at (478, 3) points in a one-row pose."""
        vertices = self.teeth.vertices.astype(np.float64)
        vertices[self.teeth.lower] += jaw_shift(pose.undo(points[None])[0], self.neutral)
        return np.asarray(pose.apply(vertices[None])[0])

    def drawn(self, points: Floats, pose: Similarity, inside: NDArray[np.bool_], attributes: Floats) -> Floats:
        """Return (N, 3) RGB of the inside for the N pixels of a mask, with the face at (478, 3) points.

        `attributes` (N, 2): place between the lips, 0 at the upper, and the gap between them in pixels.
        """
        rows, columns = np.nonzero(inside)
        corner = np.array([columns.min(), rows.min()])
        width, height = np.array([columns.max(), rows.max()]) + 1 - corner
        teeth, cover = self._teeth(self.placed(points, pose) - [*corner, 0], int(height), int(width))
        at = (rows - corner[1], columns - corner[0])
        mm_pixels = MM * float(pose.scale[0])
        colour = self._lit(cavity(attributes, mm_pixels)) * (1 - cover[at]) + teeth[at]
        return np.asarray(colour * shadow(attributes, mm_pixels), np.float32)

    def _teeth(self, vertices: Floats, height: int, width: int) -> tuple[Floats, Floats]:
        """Draw teeth and gums in a window: (H, W, 3) RGB times their share of a pixel, and this (H, W, 1) share."""
        fine = FINER * vertices + (FINER - 1) / 2
        values = np.concatenate([self.teeth.values, self.own], 1).astype(np.float32)
        out, _, triangle = rasterise(fine, self.teeth.triangles, values, height=height * FINER, width=width * FINER)
        picture = np.zeros((*triangle.shape, 4))
        upper = (triangle >= 0) & (triangle < len(self.teeth.triangles) // 2)
        for row, light, there in ((UPPER, 1.0, upper), (LOWER, 0.8, (triangle >= 0) & ~upper)):
            if there.any():
                along, behind, reach, x, y = out[there].T
                place = across_tooth(along, row)
                colour = self._lit(tooth_colours(place, reach) * light * np.exp(-behind / 18)[:, None])
                picture[there] = tooth_cover(place, reach) * np.c_[self._with_own(colour, x, y), np.ones(len(x))]
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(small[..., :3]), np.asarray(small[..., 3:])

    def _with_own(self, colour: Floats, x: Floats, y: Floats) -> Floats:
        """Return (N, 3) RGB, and where the source shows the inside of its mouth at these (N,) places its own."""
        places = np.stack([x, y], 1)[None].astype(np.float32)
        own = cv2.remap(self.picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]  # type: ignore[call-overload]
        share = cv2.remap(self.shown, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)[0]  # type: ignore[call-overload]
        return np.asarray(colour + share[:, None] * (own - colour))

    def _lit(self, colours: Floats) -> Floats:
        """Return (N, 3) colours in the light of the source."""
        grey = colours.mean(1, keepdims=True)
        return np.asarray((grey + self.colourful * (colours - grey)) * self.tint)


def lighting(skin: Floats) -> tuple[Floats, float]:
    """Return by how much (3,) a skin of a mean RGB is brighter than usual, and how colourful the picture is, 0 to 1."""
    level = max(float(skin.mean()), 1.0)
    colourful = float(np.clip(np.ptp(skin) / level / 0.2, 0, 1))
    # Skins differ in hue as lights do, so that only a part of it is put down to the light, and least to a blue one:
    # pale skins look like that.
    hue = np.clip(skin / level / USUAL_HUE, 0.7, 1.1) ** (0.4 * colourful)
    return np.clip(level / 150, 0.25, 1.25) * hue / hue.mean(), colourful


def shown(points: Floats, side: int) -> NDArray[np.float32]:
    """Return (S, S) how far a picture with a face at (478, 3) points shows the inside of the mouth, 0 to 1."""
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [points[list(topology.LIP_INNER), :2].round().astype(np.int32)], 1)
    blur = LIP_BLUR_PIXELS * side / 256
    deep = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    return np.asarray(np.clip((deep - blur) / blur, 0, 1), np.float32)


def cavity(attributes: Floats, mm_pixels: float) -> Floats:
    """Return (N, 3) RGB of what lies behind the teeth: dark, and in a mouth opened wide a tongue below."""
    across, gap = attributes.T
    tongue = np.clip((across - 0.5) / 0.35, 0, 1) * np.clip(gap / mm_pixels / 10 - 0.6, 0, 1)
    return np.asarray(CAVITY + 0.6 * tongue[:, None] * (TONGUE - CAVITY))


def shadow(attributes: Floats, mm_pixels: float) -> Floats:
    """Return (N, 1) how much light gets past the lips: the upper one shades most."""
    across, gap = attributes.T / [[1], [mm_pixels]]
    upper, lower = 0.45 + 0.55 * across * gap / 4, 0.7 + 0.3 * (1 - across) * gap / 1.5
    return np.asarray(np.clip(upper, 0, 1) * np.clip(lower, 0, 1))[:, None]


def tooth_colours(place: Floats, reach: Floats) -> Floats:
    """Return (N, 3) RGB of places across a tooth, -1 to 1, and from its edge, 0, to its neck, 1, and the gums."""
    # Gums come down between the teeth.
    tooth = np.clip((1 - 0.12 * (1 + place**4) - reach) / 0.08 + 0.5, 0, 1)[:, None]
    colour = GUM + tooth * (TEETH * (1 - 0.1 * np.clip(reach, 0, 1)[:, None]) - GUM)
    seam = np.clip((np.abs(place) - 0.75) / 0.25, 0, 1) * np.clip(0.3 + reach, 0, 1)
    return np.asarray(colour * (1 - 0.35 * seam)[:, None])


def tooth_cover(place: Floats, reach: Floats) -> Floats:
    """Return (N, 1) how far there is any tooth: its corners are rounded."""
    return np.asarray(np.clip((reach - 0.08 * place**6) / 0.05 + 0.5, 0, 1))[:, None]
