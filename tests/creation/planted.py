"""Known vectors and their pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facepipe.avatar.avatar import build
from facepipe.avatar.framing import PLAIN, face_camera
from facepipe.avatar.head import Head
from facepipe.avatar.picture import Picture
from facepipe.avatar.rasteriser import render
from facepipe.avatar.sampling import sample
from facepipe.avatar.vector import AvatarVector
from facepipe.creation.observation import SIDE_PIXELS
from facepipe.creation.target import RENDERED, Target


@dataclass(frozen=True, eq=False)
class Planted:
    """A known vector and its picture."""

    seed: int
    vector: AvatarVector
    picture: Picture


def plant(seed: int, head: Head) -> Planted:
    """Return the random avatar of a seed and its picture in the frame of its face."""
    avatar = build(sample(seed), head)
    return Planted(seed, avatar.vector, render(avatar.parts, face_camera(avatar), (SIDE_PIXELS, SIDE_PIXELS), PLAIN))


def target_of(planted: Planted) -> Target:
    """Return the picture of a planted vector as a target."""
    matte = (planted.picture.parts > 0).astype(np.float32)
    return Target(planted.picture.colour, RENDERED, matte, np.ones_like(matte))
