"""Appearance of a face: what tells the followed person from another one when place and size do not.

A measure of minutes, not of identity: it compares the aligned face of one clip with itself and with others, without a
network for identities. On 109 clips of people that no evaluation uses, with a gallery of three looks and gaps of one
to ten seconds, `SAME_FACE_FLOOR` rejects 3.2 % of the looks of the same person and accepts 0.5 % of those of another
person; 2.9 % among the tenth of people whose skin is most alike in colour.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop, sample

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]

# Likeness from which a face that appears anywhere is the followed person.
SAME_FACE_FLOOR = 0.35
# The same for a face at the place and in the size in which the person was seen a moment ago.
NEAR_FACE_FLOOR = 0.15
# The same if, in addition, no other face was seen before and the scene is as before: a head that turns
# or is uncovered at once, rather than somebody else.
ALONE_FACE_FLOOR = -0.3
# Correlation of whole frames from which they show the same scene.
SAME_SCENE_FLOOR = 0.6
THUMBNAIL_PIXELS, COLOUR_PIXELS = 16, 24
# Weight of differences of colour against the correlation of thumbnails, fitted on the pairs above.
COLOUR_WEIGHT = 2.4
# Regions of the aligned crop as (top, bottom, left, right) in units of its side: cheeks; then brow line, eyes, chin and
# hairline, whose colours are compared with that of the cheeks, because the light changes both.
CHEEKS = ((0.45, 0.65, 0.2, 0.35), (0.45, 0.65, 0.65, 0.8))
OTHERS = ((0.2, 0.3, 0.2, 0.8), (0.3, 0.42, 0.2, 0.8), (0.76, 0.9, 0.38, 0.62), (0.0, 0.09, 0.3, 0.7))
MAX_LOOKS = 8
# Looks that are more alike than this add nothing to a gallery.
NEW_LOOKS_CEILING = 0.8


class Looks(NamedTuple):
    """The appearance of a face in one frame."""

    thumbnail: Floats
    """(16, 16, 3) aligned face, each channel without its mean, divided by the standard deviation of all."""
    skin: Floats
    """(2,) logarithms of red and blue over green in the cheeks."""
    relative: Floats
    """(4, 3) brightness, red and blue of brow line, eyes, chin and hairline, as logarithms relative to the cheeks."""


def looks_of(frame: Picture, crop: SquareCrop) -> Looks:
    """Return the appearance of the face in an aligned crop of an (H, W, 3) uint8 RGB frame."""
    face = sample(frame, crop, 4 * COLOUR_PIXELS)
    values = _reduced(face, THUMBNAIL_PIXELS)
    values -= values.mean((0, 1))
    logs = np.log(_reduced(face, COLOUR_PIXELS) + 8)
    cheeks = np.mean([_colour(logs, region) for region in CHEEKS], axis=0)
    others = np.stack([_colour(logs, region) for region in OTHERS])
    return Looks(values / max(float(values.std()), 1e-3), cheeks[1:], others - cheeks)


def _reduced(face: Picture, side: int) -> Floats:
    return cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)


def _colour(logs: Floats, region: tuple[float, float, float, float]) -> Floats:
    """Return brightness, red over green and blue over green of a region, as logarithms."""
    top, bottom, left, right = (int(edge * COLOUR_PIXELS) for edge in region)
    red, green, blue = logs[top:bottom, left:right].reshape(-1, 3).mean(0)
    return np.array([(red + green + blue) / 3, red - green, blue - green], np.float32)


def correlation(first: Looks, second: Looks) -> float:
    """Return the correlation of the thumbnails: 1 if they are equal."""
    return float((first.thumbnail * second.thumbnail).mean())


def likeness(first: Looks, second: Looks) -> float:
    """Return how alike two looks are: 1 if they are equal, about -0.3 for two people."""
    colour = float(np.abs(first.skin - second.skin).sum() + np.abs(first.relative - second.relative).mean())
    return correlation(first, second) - COLOUR_WEIGHT * colour


def scene_of(frame: Picture) -> Floats:
    """Return the (16, 16, 3) thumbnail of a whole frame, normalised as those of faces."""
    values = _reduced(frame, THUMBNAIL_PIXELS)
    values -= values.mean((0, 1))
    return values / max(float(values.std()), 1e-3)


def same_scene(first: Floats, second: Floats) -> bool:
    """Return True if there is no cut between two frames, by their thumbnails from `scene_of`."""
    return float((first * second).mean()) >= SAME_SCENE_FLOOR


class Gallery:
    """Different looks of one person, at most `MAX_LOOKS`: the first, and the newest of the others."""

    def __init__(self, looks: Iterable[Looks] = ()) -> None:
        self.looks: list[Looks] = list(looks)

    def __bool__(self) -> bool:
        return bool(self.looks)

    def likeness(self, looks: Looks) -> float:
        """Return the likeness to the most similar look of the person. Raises ValueError for an empty gallery."""
        return max(likeness(looks, one) for one in self.looks)

    def learn(self, looks: Looks) -> None:
        """Add looks that are certainly the person's, unless they are known."""
        if self.looks and self.likeness(looks) > NEW_LOOKS_CEILING:
            return
        self.looks.append(looks)
        if len(self.looks) > MAX_LOOKS:
            del self.looks[1]
