"""Creation: the stages from a portrait to a strict vector, with the models passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Protocol, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.avatar import Avatar, build
from facepipe.avatar.framing import PLAIN, face_camera
from facepipe.avatar.head import Head
from facepipe.avatar.rasteriser import render
from facepipe.avatar.vector import AvatarVector, RelaxedVector
from facepipe.creation.observation import SIDE_PIXELS, Floats, Observation, Pixels
from facepipe.creation.stylised import DRAWING, STYLISED, StylisedPortrait, kept_portrait, stylised_portrait
from facepipe.models.avatar_mapper import PARTS

Doubles = NDArray[np.float64]
DRAWN = 0.5
"""Probability from which on a portrait counts as a drawing by the engine, until the engine cannot draw it."""
REDRAWN = 0.03
"""Difference of a drawing by the engine from its avatar at most."""
STAGES = ("imitator", "argmax", "search")
"""What is compared with the target: the relaxed vector drawn by the imitator, then strict ones drawn by the engine."""


class Mapped(Protocol):
    """What a mapper finds in a portrait."""

    @property
    def relaxed(self) -> RelaxedVector:
        """The relaxed vector."""

    @property
    def parts(self) -> Floats | None:
        """(P, 256, 256), probabilities of the mapper's parts in the frame of the face; None from a code."""

    @property
    def drawn(self) -> float:
        """Probability that the picture is a drawing by the engine."""


class Mapper(Protocol):
    """Finds a relaxed vector."""

    def map(self, observation: Observation) -> Mapped:
        """Return the vector and the parts of a portrait."""

    def map_code(self, code: Doubles | Floats) -> Mapped:
        """Return the vector of a W+ code (18, 512)."""


Measure = Callable[[Observation, Mapped, Head], RelaxedVector]
"""Returns the mapped vector with sliders of shape and colours as landmarks and pixels of the portrait show them."""


class Imitator(Protocol):
    """Draws relaxed vectors by a network."""

    def draw(self, relaxed: RelaxedVector) -> Pixels:
        """Return a picture (S, S, 3) in the frame of the face, before PLAIN."""


class Matched(Protocol):
    """What pictures are compared with."""

    @property
    def picture(self) -> Pixels:
        """(256, 256, 3)."""

    @property
    def inside(self) -> Floats:
        """(256, 256), where the picture is known."""


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

    @property
    def target(self) -> Matched:
        """The target, moved to where the search found the face."""


Convert = Callable[[StylisedPortrait, RelaxedVector, Head], Conversion]
"""Returns the strict vector whose picture by the engine is most like the target."""


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
        self.seconds[name] = round(self.seconds.get(name, 0.0) + perf_counter() - started, 3)


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
        mapped = models.mapper.map(observation) if code is None else models.mapper.map_code(code)
    made = _made(observation, mapped, models, head, stylized, clock)
    if made.target.kind == DRAWING and made.differences["search"] > REDRAWN:
        photograph: Any = replace(cast("Any", mapped), drawn=0.0)
        made = _made(observation, photograph, models, head, stylized, clock)
    return made


def _made(
    observation: Observation, mapped: Mapped, models: Models, head: Head, stylized: Pixels | None, clock: Clock
) -> Creation:
    with clock.part("measures"):
        relaxed = models.measure(observation, mapped, head)
    with clock.part("target"):
        target = _target(observation, mapped, build(relaxed.strict(), head), stylized)
    with clock.part("imitator"):
        imitation = models.imitator.draw(relaxed)
    with clock.part("search"):
        conversion = models.convert(target, relaxed, head)
    with clock.part("pictures"):
        final = build(conversion.vector, head)
        pictures = (imitation, picture_of(build(conversion.argmax, head)), picture_of(final))
    drawn = dict(zip(STAGES, pictures, strict=True))
    differences = {name: difference(picture, conversion.target) for name, picture in drawn.items()}
    return Creation(observation, target, relaxed, conversion, final, drawn, differences, clock.seconds)


def _target(observation: Observation, mapped: Mapped, avatar: Avatar, stylized: Pixels | None) -> StylisedPortrait:
    parts = {} if mapped.parts is None else dict(zip(PARTS[1:], mapped.parts[1:], strict=True))
    if stylized is not None:
        return kept_portrait(stylized, observation, parts, STYLISED)
    if mapped.drawn > DRAWN:
        return kept_portrait(observation.picture, observation, parts, DRAWING)
    return stylised_portrait(observation, avatar, parts)


def picture_of(avatar: Avatar, side_pixels: int = SIDE_PIXELS) -> Pixels:
    """Return the picture of an avatar at rest in the frame of its face."""
    return render(avatar.parts, face_camera(avatar), (side_pixels, side_pixels), PLAIN).colour


def difference(picture: Pixels, target: Matched) -> float:
    """Return the mean absolute difference of a picture (S, S, 3) from a target within the portrait, 0 to 1.

    A picture of another size is compared at its own.
    """
    side = picture.shape[0]
    size, way = (side, side), cv2.INTER_AREA if side < SIDE_PIXELS else cv2.INTER_LINEAR
    wanted = cv2.resize(target.picture, size, interpolation=way).astype(np.float64)
    weights = np.asarray(cv2.resize(target.inside, size, interpolation=way), np.float64)
    away = np.abs(picture.astype(np.float64) - wanted).mean(axis=2) / 255
    return float((weights * away).sum() / max(float(weights.sum()), 1.0))
