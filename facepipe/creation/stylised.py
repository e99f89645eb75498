"""Stylised portraits: a photograph as an avatar at rest would show the person, for pictures of avatars to match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from facepipe.avatar.avatar import Avatar
from facepipe.avatar.camera import Camera
from facepipe.avatar.framing import PLAIN, face_camera
from facepipe.creation.landmarks import SHARES, inner_lips, landmarks_of
from facepipe.creation.observation import SIDE_PIXELS, Floats, Observation, Pixels

Points = NDArray[np.float64]
PHOTOGRAPH, STYLISED, DRAWING = "photograph", "stylised", "drawing"
"""Kinds of portraits: a photograph; a picture that the user's own model has stylised; a drawing by the engine."""
ROUNDS, REACH_PIXELS, LEVELS, SPREAD_PIXELS = 3, 9, 16, 4
"""Of the bilateral filter: passes, diameter, and standard deviations of levels and of places."""
FREE = (
    *("hairline", "temple-right", "temple-left"),
    *("brow-outer-right", "brow-inner-right", "brow-inner-left", "brow-outer-left"),
)
"""Landmarks that the warp leaves where they come to lie: brows keep their slope, and the hair line its distance."""
STIFFNESS = (2.0, 20.0, 200.0, 2e3, 2e4, 2e5)
"""Smoothing of the warp: the first with which it does not fold. Landmarks are off by a pixel or two. Those of a head
that is turned far, or of a mouth that is wide open, cannot all come to the avatar's."""
LIP_GAP_PIXELS = 1.0
"""How far from the line between the lips the inner edges of the portrait's lips come to lie."""
GRID_PIXELS = 4
"""Step of the grid on which the spline is evaluated."""
FOLDED = 0.1
"""Area of a cell of that grid in the portrait, as a fraction of its own, below which the warp counts as folded."""
ANCHORS = 5
"""Along each edge of the frame, where the warp leaves the portrait in its place."""

EMPTY, CERTAIN, LEAST_BEHIND = 0.02, 0.9, 1000
"""Shares of the person below which a pixel shows the background, and above which the person; and how many pixels tell
the background's colour."""
ALIKE_LEVELS, UNLIKE = 3, 0.1
"""Difference of a pixel from a background of one colour at most; share of the background that may differ more, as the
matte leaves out some hair, or of the person that may differ less."""


@dataclass(frozen=True, eq=False)
class StylisedPortrait:
    """A portrait as an avatar shows it, in the frame of the face."""

    picture: Pixels
    """(256, 256, 3) sRGB before PLAIN."""
    matte: Floats
    """(256, 256), share of the person, 0 to 1."""
    inside: Floats
    """(256, 256), 1 inside the portrait, 0 beyond its edges."""
    parts: Mapping[str, Floats] = field(default_factory=dict)
    """(256, 256) by name of part: share of the pixel that it covers. Absent ones are not known."""
    kind: str = PHOTOGRAPH
    """What the picture was before: PHOTOGRAPH, STYLISED or DRAWING."""


def stylised_portrait(observation: Observation, avatar: Avatar, parts: Mapping[str, Floats]) -> StylisedPortrait:
    """Return a portrait with a plain background and smooth surfaces, head from the front, mouth closed.

    A thin-plate spline brings the portrait's landmarks to those of the avatar. `parts` are (256, 256) by name.
    """
    places = warp_of(observation, avatar)
    matte, inside = _warped_share(observation.matte, places), _warped_share(observation.inside, places)
    picture = before_background(smoothed(_warped(observation.picture, places)), matte)
    return StylisedPortrait(
        picture, matte, inside, {name: _warped_share(plane, places) for name, plane in parts.items()}
    )


def kept_portrait(
    picture: Pixels, observation: Observation, parts: Mapping[str, Floats], kind: str
) -> StylisedPortrait:
    """Return a portrait whose picture (256, 256, 3), framed like the observation, has the style of avatars already.

    The matting network is made for photographs. In front of a background of one colour it is not needed.
    """
    matte = plain_matte(picture, observation.matte)
    return StylisedPortrait(before_background(picture, matte), matte, observation.inside, parts, kind)


def plain_matte(picture: Pixels, matte: Floats) -> Floats:
    """Return what differs from the background (256, 256), if that has one colour that the person hardly has."""
    behind = picture[matte < EMPTY].astype(np.float32)
    if len(behind) < LEAST_BEHIND:
        return matte
    colour = np.median(behind, axis=0)
    if (np.abs(behind - colour).max(axis=1) > ALIKE_LEVELS).mean() > UNLIKE:
        return matte
    away: Floats = (np.abs(picture - colour.astype(np.float32)).max(axis=2) > ALIKE_LEVELS).astype(np.float32)
    person = away[matte > CERTAIN]
    return matte if len(person) - person.sum() > UNLIKE * len(person) else away


def warp_of(observation: Observation, avatar: Avatar) -> Points:
    """Return the place (256, 256, 2) in the portrait of each pixel of the avatar's picture."""
    points = np.asarray(observation.points[:, :2], np.float64)
    known, there = landmarks_of(avatar, points, without=FREE)
    places = projected(face_camera(avatar), known)
    # The inner edges of both lips come next to the avatar's line between them: what an open mouth shows vanishes.
    line, gap = places[-len(SHARES) :], np.array([0.0, LIP_GAP_PIXELS])
    edges = np.concatenate(inner_lips(points))
    border = _border()
    ends = np.concatenate([places[: -len(SHARES)], line - gap, line + gap, border])
    starts = np.concatenate([there[: -len(SHARES)], edges, border])
    steps = np.arange(0, SIDE_PIXELS + GRID_PIXELS, GRID_PIXELS, dtype=np.float64)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1)
    for stiffness in STIFFNESS:
        spline = RBFInterpolator(ends, starts, kernel="thin_plate_spline", smoothing=stiffness)
        coarse = spline(grid.reshape(-1, 2)).reshape(grid.shape)
        if not folds(coarse):
            break
    return _refined(coarse)


def folds(places: Points) -> bool:
    """Return True if the warp of the grid to places (H, W, 2) turns a cell over, or nearly so."""
    right, down = np.diff(places, axis=1)[:-1], np.diff(places, axis=0)[:, :-1]
    area = right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]
    return bool((area < FOLDED * GRID_PIXELS**2).any())


def projected(camera: Camera, places: Points) -> Points:
    """Return the pixels (K, 2) of places (K, 3) in a picture of a camera, 256 pixels wide."""
    view = camera.view(places.astype(np.float32))
    scale = camera.focal_pixels(SIDE_PIXELS, SIDE_PIXELS) / -view[:, 2]
    middle = (SIDE_PIXELS - 1) / 2
    return np.stack([middle + scale * view[:, 0], middle - scale * view[:, 1]], axis=1)


def smoothed(picture: Pixels) -> Pixels:
    """Return a picture with smooth surfaces and sharp edges."""
    for _ in range(ROUNDS):
        picture = np.asarray(cv2.bilateralFilter(picture, REACH_PIXELS, LEVELS, SPREAD_PIXELS), np.uint8)
    return picture


def _border() -> Points:
    along = np.linspace(0, SIDE_PIXELS - 1, ANCHORS)
    edge = np.full(ANCHORS, SIDE_PIXELS - 1.0)
    sides = [(along, 0 * edge), (along, edge), (0 * edge[1:-1], along[1:-1]), (edge[1:-1], along[1:-1])]
    return np.concatenate([np.stack(side, axis=1) for side in sides])


def _refined(coarse: Points) -> Points:
    """Return a grid at every GRID_PIXELS, bilinearly interpolated at every pixel."""
    whole, part = np.divmod(np.arange(SIDE_PIXELS), GRID_PIXELS)
    share = (part / GRID_PIXELS)[:, None]
    rows = coarse[whole] * (1 - share[..., None]) + coarse[whole + 1] * share[..., None]
    places: Points = rows[:, whole] * (1 - share) + rows[:, whole + 1] * share
    return places


def _warped_share(plane: Floats, places: Points) -> Floats:
    levels = _warped(np.asarray(255 * plane + 0.5).astype(np.uint8), places)
    share: Floats = levels.astype(np.float32) / np.float32(255)
    return share


def _warped(plane: Pixels, places: Points) -> Pixels:
    x, y = np.moveaxis(places.astype(np.float32), -1, 0)
    warped = cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def before_background(picture: Pixels, matte: Floats) -> Pixels:
    """Return a picture (H, W, 3) with PLAIN in place of what the matte (H, W) leaves out."""
    share = matte[..., None]
    mixed = share * picture + (1 - share) * (255 * np.array(PLAIN, np.float32))
    return np.asarray(mixed + 0.5, np.float32).astype(np.uint8)
