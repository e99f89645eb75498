"""Models of creation that know no network: for tests of what is around them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facepipe.avatar.avatar import build
from facepipe.avatar.compiling import open_head
from facepipe.avatar.head import Head
from facepipe.avatar.vector import AvatarVector, RelaxedVector
from facepipe.creation import CODE_MAPPER, IMITATOR, MAPPER
from facepipe.creation.creation import Mapped, Models, picture_of
from facepipe.creation.observation import Floats, Observation, Pixels
from facepipe.creation.stylised import StylisedPortrait
from facepipe.models.avatar_mapper import PARTS


@dataclass(frozen=True)
class Step:
    """A step of a search."""

    searched: str
    score: float


@dataclass(frozen=True)
class Converted:
    """The result of a search."""

    argmax: AvatarVector
    argmax_score: float
    vector: AvatarVector
    score: float
    trace: tuple[Step, ...]
    target: StylisedPortrait


@dataclass(frozen=True, eq=False)
class StubMapped:
    """What the mapper finds."""

    relaxed: RelaxedVector
    parts: Floats | None
    drawn: float = 0.0


class StubMapper:
    """Answers a vector by the mean lightness of the person, or of a code."""

    def map(self, observation: Observation) -> StubMapped:
        person = observation.matte > 0.5
        parts = np.zeros((len(PARTS), *person.shape), np.float32)
        parts[PARTS.index("hair")] = observation.matte
        return StubMapped(self._vector(float(observation.picture[person].mean() / 255)), parts)

    def map_code(self, code: Any) -> StubMapped:
        return StubMapped(self._vector(float(np.clip(code.mean(), 0, 1))), None)

    @staticmethod
    def _vector(light: float) -> RelaxedVector:
        return AvatarVector({"head_width": light}, {"skin": (light, 0.5)}, {"hair": "crop"}).relaxed()


class StubImitator:
    """Draws the strict vector, small."""

    def draw(self, relaxed: RelaxedVector) -> Pixels:
        return picture_of(build(relaxed.strict(), open_head()), 64)


def measured(_observation: Observation, mapped: Mapped, _head: Head) -> RelaxedVector:
    """Return the mapped vector."""
    return mapped.relaxed


def converted(target: StylisedPortrait, relaxed: RelaxedVector, _head: Head) -> Converted:
    """Return other hair if the target has dark pixels at its top."""
    before = relaxed.strict()
    after = before.changed(choices={"hair": "bob"})
    assert target.picture.shape == (256, 256, 3)
    return Converted(before, 0.5, after, 0.25, (Step("hair", 0.25),), target)


def stub_models(_weights: Mapping[str, Path]) -> Models:
    """Return the models."""
    return Models(StubMapper(), measured, StubImitator(), converted)


@dataclass(frozen=True)
class StubWeight:
    """A weight file."""

    path: Path
    sha256: str


def stub_weights(folder: Path, find: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return a function as `find_weights` that knows the networks of creation, too."""
    own = {}
    for name in (MAPPER, IMITATOR, CODE_MAPPER):
        path = folder / f"{name}.safetensors"
        path.write_text(name, encoding="utf-8")
        own[name] = StubWeight(path, hashlib.sha256(name.encode()).hexdigest())

    def found(*names: str) -> dict[str, Any]:
        return {
            **find(*(name for name in names if name not in own)),
            **{name: own[name] for name in names if name in own},
        }

    return found
