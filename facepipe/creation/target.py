"""What an avatar is made to look like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.camera import Camera
from facepipe.avatar.framing import face_camera
from facepipe.avatar.neutral import NeutralAvatar
from facepipe.creation.observation import SIDE_PIXELS

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
View = Callable[[NeutralAvatar], Camera]
"""Returns the camera whose picture of an avatar is compared with a target."""


class Place(NamedTuple):
    """The place of a face in a picture, as an alignment in pixels (see `facepipe.creation.alignment`)."""

    mean: tuple[float, float, float, float]
    spread: tuple[float, float, float, float]
    """Standard deviations."""


@dataclass(frozen=True)
class Trust:
    """How far each term of a score is to be trusted: its weight."""

    pixels: float = 0.0
    """Of the picture, pixel by pixel. Above 0, the whole continuous part is fitted to it."""
    silhouette: float = 0.0
    """Of the matte and of the maps of parts."""
    colours: float = 0.0
    """Of the mean colours of parts."""
    options: float = 0.0
    """Of -log of the probabilities of the options."""
    continuous: float = 0.0
    """Of the mean squared distance from the relaxed continuous part."""
    place: Place | None = None
    """What is known of the place of the face in the picture; None if it is exact."""


RENDERED = Trust(pixels=1.0, options=5e-5, continuous=0.1)
"""A picture by the engine."""
STYLISED = Trust(pixels=1.0, options=1e-3, continuous=0.1, place=Place((0.0, 0.0, 0.0, 0.0), (2.0, 2.0, 2.0, 2.0)))
"""A picture in the style of the engine, by a network."""
PHOTOGRAPH = Trust(silhouette=1.0, colours=0.1, options=0.01, continuous=0.02)
"""A photograph, whose light and detail the engine does not know."""


@dataclass(frozen=True, eq=False)
class Target:
    """A picture in the frame of the face (see `facepipe.avatar.framing`), and what is known of it.

    Its background is PLAIN. Raises ValueError for arrays of another size.
    """

    picture: Pixels
    """(256, 256, 3) RGB."""
    trust: Trust
    matte: Floats
    """(256, 256), share of the person, 0 to 1."""
    inside: Floats
    """(256, 256), 1 where the picture is known, 0 beyond its edges."""
    parts: Mapping[str, Floats] = field(default_factory=dict)
    """(256, 256) by name of PARTS: share of the pixel that the part covers. Absent ones are not known."""

    view: View = face_camera
    """Of the pictures that are compared with it."""

    def __post_init__(self) -> None:
        size = (SIDE_PIXELS, SIDE_PIXELS)
        planes = {"matte": self.matte, "inside": self.inside, **self.parts}
        wrong = {name: plane.shape for name, plane in planes.items() if plane.shape != size}
        if wrong or self.picture.shape != (*size, 3):
            raise ValueError(f"got a picture of {self.picture.shape} and planes of {wrong}, expected a side of {size}")
