"""The person on a reference picture, and who of the people in a clip looks most like them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.face.finding import Finder, choose_face
from facepipe.face.looks import SAME_FACE_FLOOR, Looks, likeness, looks_of

Picture = NDArray[np.uint8]

# Number of frames of a clip in which the person is looked for before it is tracked.
SAMPLES = 12
# Least likeness of the face that is taken for the person of another picture, and the likeness from which it is certain.
PERSON_FLOOR, CERTAIN_FLOOR = -0.6, SAME_FACE_FLOOR


class Person(NamedTuple):
    """A person to follow in a clip."""

    looks: tuple[Looks, ...]
    """How they look in the clip, at least one look."""
    likeness: float = 1.0
    """Likeness of these looks to the reference picture."""


def looks_in(finder: Finder, picture: Picture) -> Looks | None:
    """Return the appearance of the largest face of an (H, W, 3) uint8 RGB picture; None without a face."""
    face = choose_face(finder.find(picture), "largest")
    return None if face is None else looks_of(picture, face.crop)


def find_person(finder: Finder, wanted: Looks, pictures: Sequence[Picture]) -> Person | None:
    """Return the person in frames of a clip who looks most like the wanted one; None if nobody does.

    Frames of the clip itself are told apart well by their looks, other photographs only by comparison: the same person
    may look less alike in another light than `SAME_FACE_FLOOR` asks for. So the most similar face is taken as a look of
    the person, and the clip is tracked with that.
    """
    found = [looks_of(picture, face.crop) for picture in pictures for face in finder.find(picture)]
    if not found:
        return None
    best = max(found, key=lambda looks: likeness(looks, wanted))
    own = likeness(best, wanted)
    if own < PERSON_FLOOR:
        return None
    return Person((best, wanted) if own >= CERTAIN_FLOOR else (best,), own)
