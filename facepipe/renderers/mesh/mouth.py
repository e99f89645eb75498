"""Mouth interior: teeth, with the source's own pixels where it shows them, in front of a dark cavity."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face import topology
from facepipe.face.pose import Similarity
from facepipe.renderers.mesh.raster import rasterise
from facepipe.renderers.mesh.teeth import LOWER, MM, UPPER, across_tooth, jaw_shift, teeth_of

Floats = NDArray[np.floating]
# Colours (RGB) for a face of luminance 150.
CAVITY, TONGUE, GUM = np.array([40, 18, 17.0]), np.array([122, 62, 60.0]), np.array([150, 84, 82.0])
TEETH = np.array([206, 192, 178.0])
# RGB of skin in daylight, divided by its mean.
DAYLIGHT_HUE = np.array([1.28, 0.93, 0.79])
# Supersampling factor of the teeth, for antialiasing.
SUPERSAMPLING = 2
# Width over which lips blend into the teeth behind them, for pictures of 256 pixels.
LIP_BLUR_PIXELS = 1.5


class Mouth:
    """Renders the mouth interior of one source portrait."""

    def __init__(
        self, picture: NDArray[np.uint8], points: Floats, pose: Similarity, neutral: Floats, skin: Floats
    ) -> None:
        """Prepare the teeth and their lighting.

        Args:
            picture: (S, S, 3) uint8 RGB, the source.
            points: (478, 3) landmarks in pixels of `picture`.
            pose: The source's pose, one row.
            neutral: (478, 3), the face without expression and pose.
            skin: (3,), mean RGB of the source's skin.
        """
        self.picture, self.neutral = picture, neutral
        self.teeth = teeth_of(neutral)
        self.source_positions = self.place(points, pose)[:, :2]
        self.visibility = interior_visibility(points, picture.shape[0])
        self.tint, self.saturation = lighting(skin)

    def place(self, points: Floats, pose: Similarity) -> Floats:
        """Return the (V, 3) vertices of the teeth, in pixels, for a face at (478, 3) points in a one-row pose."""
        vertices = self.teeth.vertices.astype(np.float64)
        vertices[self.teeth.lower] += jaw_shift(pose.undo(points[None])[0], self.neutral)
        return np.asarray(pose.apply(vertices[None])[0])

    def render(self, points: Floats, pose: Similarity, inside: NDArray[np.bool_], attributes: Floats) -> Floats:
        """Return (N, 3) RGB of the interior for the N pixels of a mask.

        Args:
            points: (478, 3) target points in pixels.
            pose: The target pose, one row.
            inside: (S, S) mask of the interior; not empty.
            attributes: (N, 2), position between the lips, 0 at the upper and 1 at the lower, and the gap in pixels.
        """
        rows, columns = np.nonzero(inside)
        corner = np.array([columns.min(), rows.min()])
        width, height = np.array([columns.max(), rows.max()]) + 1 - corner
        teeth, cover = self._teeth(self.place(points, pose) - [*corner, 0], int(height), int(width))
        at = (rows - corner[1], columns - corner[0])
        mm_pixels = MM * float(pose.scale[0])
        colour = self._lit(cavity_colours(attributes, mm_pixels)) * (1 - cover[at]) + teeth[at]
        return np.asarray(colour * shadow(attributes, mm_pixels), np.float32)

    def _teeth(self, vertices: Floats, height: int, width: int) -> tuple[Floats, Floats]:
        """Render teeth and gums: (H, W, 3) RGB premultiplied by their coverage, and the (H, W, 1) coverage."""
        fine = SUPERSAMPLING * vertices + (SUPERSAMPLING - 1) / 2
        values = np.concatenate([self.teeth.values, self.source_positions], 1).astype(np.float32)
        out, _, triangle = rasterise(
            fine, self.teeth.triangles, values, height=height * SUPERSAMPLING, width=width * SUPERSAMPLING
        )
        picture = np.zeros((*triangle.shape, 4))
        upper = (triangle >= 0) & (triangle < len(self.teeth.triangles) // 2)
        for row, light, mask in ((UPPER, 1.0, upper), (LOWER, 0.8, (triangle >= 0) & ~upper)):
            if mask.any():
                along, behind, reach, x, y = out[mask].T
                across = across_tooth(along, row)
                colour = self._lit(tooth_colours(across, reach) * light * np.exp(-behind / 18)[:, None])
                picture[mask] = tooth_coverage(across, reach) * np.c_[self._with_source(colour, x, y), np.ones(len(x))]
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(small[..., :3]), np.asarray(small[..., 3:])

    def _with_source(self, colour: Floats, x: Floats, y: Floats) -> Floats:
        """Return (N, 3) RGB, replaced by the source's pixels at (x, y) where its mouth interior is visible."""
        positions = np.stack([x, y], 1)[None].astype(np.float32)
        source = cv2.remap(self.picture, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]  # type: ignore[call-overload]
        share = cv2.remap(self.visibility, positions, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)[0]  # type: ignore[call-overload]
        return np.asarray(colour + share[:, None] * (source - colour))

    def _lit(self, colours: Floats) -> Floats:
        """Return (N, 3) colours under the lighting of the source."""
        grey = colours.mean(1, keepdims=True)
        return np.asarray((grey + self.saturation * (colours - grey)) * self.tint)


def lighting(skin: Floats) -> tuple[Floats, float]:
    """Return the lighting of a skin of a mean RGB: its tint, (3,) factors of colours, and its saturation, 0 to 1."""
    level = max(float(skin.mean()), 1.0)
    saturation = float(np.clip(np.ptp(skin) / level / 0.2, 0, 1))
    # Hues of skin vary as well as those of light, so the hue is attributed to the light only in part; least of all
    # towards blue, because pale skin looks bluish.
    hue = np.clip(skin / level / DAYLIGHT_HUE, 0.7, 1.1) ** (0.4 * saturation)
    return np.clip(level / 150, 0.25, 1.25) * hue / hue.mean(), saturation


def interior_visibility(points: Floats, side: int) -> NDArray[np.float32]:
    """Return (S, S) in [0, 1], where a picture with a face at (478, 3) points shows the mouth interior."""
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [points[list(topology.LIP_INNER), :2].round().astype(np.int32)], 1)
    blur = LIP_BLUR_PIXELS * side / 256
    deep = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    return np.asarray(np.clip((deep - blur) / blur, 0, 1), np.float32)


def cavity_colours(attributes: Floats, mm_pixels: float) -> Floats:
    """Return (N, 3) RGB of the cavity behind the teeth: dark, with a tongue below if the mouth is wide open."""
    across, gap = attributes.T
    tongue = np.clip((across - 0.5) / 0.35, 0, 1) * np.clip(gap / mm_pixels / 10 - 0.6, 0, 1)
    return np.asarray(CAVITY + 0.6 * tongue[:, None] * (TONGUE - CAVITY))


def shadow(attributes: Floats, mm_pixels: float) -> Floats:
    """Return (N, 1), the share of light that passes the lips; the upper one shades most."""
    across, gap = attributes.T / [[1], [mm_pixels]]
    upper, lower = 0.45 + 0.55 * across * gap / 4, 0.7 + 0.3 * (1 - across) * gap / 1.5
    return np.asarray(np.clip(upper, 0, 1) * np.clip(lower, 0, 1))[:, None]


def tooth_colours(across: Floats, reach: Floats) -> Floats:
    """Return (N, 3) RGB of teeth and gums.

    Args:
        across: (N,) position across the tooth, from -1 to 1.
        reach: (N,) height in the tooth, 0 at the edge, 1 at the neck, larger in the gums.
    """
    # Gums reach down between the teeth.
    tooth = np.clip((1 - 0.12 * (1 + across**4) - reach) / 0.08 + 0.5, 0, 1)[:, None]
    colour = GUM + tooth * (TEETH * (1 - 0.1 * np.clip(reach, 0, 1)[:, None]) - GUM)
    seam = np.clip((np.abs(across) - 0.75) / 0.25, 0, 1) * np.clip(0.3 + reach, 0, 1)
    return np.asarray(colour * (1 - 0.35 * seam)[:, None])


def tooth_coverage(across: Floats, reach: Floats) -> Floats:
    """Return (N, 1), the coverage of a tooth with rounded corners. The arguments are those of `tooth_colours`."""
    return np.asarray(np.clip((reach - 0.08 * across**6) / 0.05 + 0.5, 0, 1))[:, None]
