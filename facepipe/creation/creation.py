"""Creation: the stages from a portrait to a strict vector, with the models passed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol

import cv2
import numpy as np

from facepipe.avatar.avatar import Avatar, build
from facepipe.avatar.framing import face_camera
from facepipe.avatar.head import Head
from facepipe.avatar.rasteriser import render
from facepipe.avatar.vector import AvatarVector, RelaxedVector
from facepipe.creation.observation import SIDE_PIXELS, Floats, Observation, Pixels
from facepipe.creation.stylised import BACKGROUND, StylisedPortrait, given_portrait, stylised_portrait

CODE_SHAPE = (18, 512)
"""Shape of a W+ code of a face generator of 1024 pixels."""
STAGES = ("imitator", "argmax", "search")
"""What is compared with the target: the relaxed vector drawn by the imitator, then strict ones drawn by the engine."""


@dataclass(frozen=True, eq=False)
class Mapped:
    """What a mapper finds in a portrait."""

    relaxed: RelaxedVector
    parts: Mapping[str, Floats] = field(default_factory=dict)
    """(256, 256) by name of part, in the frame of the face: share of the pixel that it covers. Absent: unknown."""


class Mapper(Protocol):
    """Finds a relaxed vector."""

    def map(self, observation: Observation, code: Floats | None = None) -> Mapped:
        """Return the vector of a portrait; a mapper of W+ codes takes `code` (18, 512) instead of the pixels."""


class Measure(Protocol):
    """Measures shape and colours of a portrait."""

    def __call__(self, observation: Observation, mapped: Mapped, head: Head) -> RelaxedVector:
        """Return the mapped vector with sliders of shape and colours as landmarks and pixels show them."""


class Imitator(Protocol):
    """Draws relaxed vectors by a network."""

    def draw(self, relaxed: RelaxedVector) -> Pixels:
        """Return a picture (S, S, 3) in the frame of the face, before BACKGROUND."""


class Conversion(Protocol):
    """A relaxed vector made strict."""

    @property
    def argmax(self) -> AvatarVector:
        """The vector with the most probable options, where the search begins."""

    @property
    def argmax_score(self) -> float:
        """The search's score of it; lower is better."""

    @property
    def vector(self) -> AvatarVector:
        """The vector that the search ends with."""

    @property
    def score(self) -> float:
        """The search's score of it."""

    @property
    def trace(self) -> Sequence[Any]:
        """The steps of the search, dataclasses of values that JSON knows."""


class Convert(Protocol):
    """Searches the strict vector."""

    def __call__(self, target: StylisedPortrait, relaxed: RelaxedVector, head: Head) -> Conversion:
        """Return the strict vector whose picture by the engine is most like the target."""


@dataclass(frozen=True)
class Models:
    """The parts of the way from a portrait to a vector."""

    mapper: Mapper
    measure: Measure
    imitator: Imitator
    convert: Convert


@dataclass(frozen=True, eq=False)
class Creation:
    """An avatar made from a portrait, with what came before it. Pictures are (S, S, 3), in the frame of the face."""

    observation: Observation
    target: StylisedPortrait
    relaxed: RelaxedVector
    conversion: Conversion
    final: Avatar
    pictures: Mapping[str, Pixels]
    """By name in STAGES."""
    differences: Mapping[str, float]
    """By name in STAGES: see `difference`."""
    seconds: Mapping[str, float]
    """Wall-clock time by part."""


@dataclass
class Clock:
    """The wall-clock time of the parts of a work."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Measure a part."""
        started = perf_counter()
        yield
        self.seconds[name] = round(perf_counter() - started, 3)


def create(
    observation: Observation,
    models: Models,
    head: Head,
    *,
    stylized: Pixels | None = None,
    code: Floats | None = None,
) -> Creation:
    """Make an avatar from a portrait.

    Args:
        observation: The portrait.
        models: The parts of the way.
        head: The compiled head.
        stylized: A stylised version (256, 256, 3) of the observation's picture, which becomes the target.
        code: The portrait's W+ code (18, 512), for a mapper of such codes.
    """
    clock = Clock()
    with clock.part("mapper"):
        mapped = models.mapper.map(observation, code)
    with clock.part("measures"):
        relaxed = models.measure(observation, mapped, head)
    with clock.part("target"):
        if stylized is not None:
            target = given_portrait(stylized, observation, mapped.parts)
        else:
            target = stylised_portrait(observation, build(relaxed.strict(), head), mapped.parts)
    with clock.part("imitator"):
        imitation = models.imitator.draw(relaxed)
    with clock.part("search"):
        conversion = models.convert(target, relaxed, head)
    with clock.part("pictures"):
        final = build(conversion.vector, head)
        pictures = (imitation, picture_of(build(conversion.argmax, head)), picture_of(final))
    drawn = dict(zip(STAGES, pictures, strict=True))
    differences = {name: difference(picture, target) for name, picture in drawn.items()}
    return Creation(observation, target, relaxed, conversion, final, drawn, differences, clock.seconds)


def picture_of(avatar: Avatar, side_pixels: int = SIDE_PIXELS) -> Pixels:
    """Return the picture of an avatar at rest in the frame of its face."""
    return render(avatar.parts, face_camera(avatar), (side_pixels, side_pixels), BACKGROUND).colour


def difference(picture: Pixels, target: StylisedPortrait) -> float:
    """Return the mean absolute difference of a picture (S, S, 3) from a target within the portrait, 0 to 1.

    A picture of another size is compared at its own.
    """
    side = picture.shape[0]
    size, way = (side, side), cv2.INTER_AREA if side < SIDE_PIXELS else cv2.INTER_LINEAR
    wanted = cv2.resize(target.picture, size, interpolation=way).astype(np.float64)
    weights = np.asarray(cv2.resize(target.inside, size, interpolation=way), np.float64)
    away = np.abs(picture.astype(np.float64) - wanted).mean(axis=2) / 255
    return float((weights * away).sum() / max(float(weights.sum()), 1.0))
