"""Planted vectors: how well conversion finds the vectors of pictures that the engine drew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.avatar import build
from facepipe.avatar.framing import PLAIN, face_camera
from facepipe.avatar.head import Head
from facepipe.avatar.picture import Picture
from facepipe.avatar.rasteriser import render
from facepipe.avatar.sampling import sample
from facepipe.avatar.sliders import NAMES
from facepipe.avatar.vector import AvatarVector, RelaxedVector
from facepipe.creation.observation import SIDE_PIXELS
from facepipe.creation.search import Conversion, convert
from facepipe.creation.target import RENDERED, Pixels, Target

FIRST_UNSEEN = 3_000_000
"""Seed of the first avatar that nothing is trained or tuned on."""
SLIDERS = len(NAMES)


@dataclass(frozen=True, eq=False)
class Planted:
    """A known vector and its picture."""

    seed: int
    vector: AvatarVector
    picture: Picture


@dataclass(frozen=True)
class Found:
    """How near two vectors are to a planted one: that of the most probable options, and that of the search."""

    right: tuple[frozenset[str], frozenset[str]]
    """Types whose option is right."""
    slider_error: tuple[float, float]
    """Mean absolute error."""
    colour_error: tuple[float, float]
    pixel_error: tuple[float, float]
    """Mean absolute difference of the pictures, in [0, 1]."""
    renders: int
    seconds: float


Figure = TypeVar("Figure")
Mapper = Callable[[Planted], RelaxedVector]


def plant(seed: int, head: Head) -> Planted:
    """Return the random avatar of a seed and its picture in the frame of its face."""
    avatar = build(sample(seed), head)
    return Planted(seed, avatar.vector, render(avatar.parts, face_camera(avatar), (SIDE_PIXELS, SIDE_PIXELS), PLAIN))


def target_of(planted: Planted) -> Target:
    """Return the picture of a planted vector as a target."""
    matte = (planted.picture.parts > 0).astype(np.float32)
    return Target(planted.picture.colour, RENDERED, matte, np.ones_like(matte))


def find(planted: Planted, relaxed: RelaxedVector, head: Head, *, threads: int = 2) -> tuple[Found, Conversion]:
    """Convert a relaxed vector of a planted picture, and compare with the planted vector."""
    conversion = convert(target_of(planted), relaxed, head, threads=threads)
    planted_vector, picture = planted.vector, planted.picture.colour

    def both(figure: Callable[[AvatarVector], Figure]) -> tuple[Figure, Figure]:
        return figure(conversion.argmax), figure(conversion.vector)

    found = Found(
        right=both(lambda vector: _right(vector, planted_vector)),
        slider_error=both(lambda vector: _error(vector, planted_vector, slice(SLIDERS))),
        colour_error=both(lambda vector: _error(vector, planted_vector, slice(SLIDERS, None))),
        pixel_error=both(lambda vector: _apart(vector, picture, head)),
        renders=conversion.renders,
        seconds=conversion.seconds,
    )
    return found, conversion


def measure(mapper: Mapper, head: Head, seeds: Iterable[int], *, threads: int = 2) -> Iterator[Found]:
    """Yield how well the vectors of seeds are found from what a mapper says of their pictures."""
    for seed in seeds:
        planted = plant(seed, head)
        yield find(planted, mapper(planted), head, threads=threads)[0]


def summary(found: Sequence[Found]) -> dict[str, tuple[float, float]]:
    """Return the figures of many vectors by name, each for argmax and for the search."""

    def mean(values: Iterable[Sequence[float]]) -> tuple[float, float]:
        first, second = np.mean(list(values), axis=0)
        return float(first), float(second)

    rates = {type_: mean([[type_ in right for right in one.right] for one in found]) for type_ in ASSETS}
    return {
        **rates,
        "all types": mean([[len(right) == len(ASSETS) for right in one.right] for one in found]),
        "slider error": mean([one.slider_error for one in found]),
        "colour error": mean([one.colour_error for one in found]),
        "pixel error": mean([one.pixel_error for one in found]),
    }


def _right(vector: AvatarVector, planted: AvatarVector) -> frozenset[str]:
    return frozenset(type_ for type_, name in planted.choices.items() if vector.choices[type_] == name)


def _error(vector: AvatarVector, planted: AvatarVector, span: slice) -> float:
    return float(np.abs(vector.numbers() - planted.numbers())[span].mean())


def _apart(vector: AvatarVector, picture: Pixels, head: Head) -> float:
    avatar = build(vector, head)
    drawn = render(avatar.parts, face_camera(avatar), (SIDE_PIXELS, SIDE_PIXELS), PLAIN).colour
    return float(np.abs(drawn.astype(np.float32) - picture).mean()) / 255
