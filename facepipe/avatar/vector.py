"""Avatar vectors: what makes one avatar. The engine accepts strict ones, networks work on relaxed ones."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.colours import PALETTES, Colour
from facepipe.avatar.mesh import Floats
from facepipe.avatar.sliders import NEUTRAL
from facepipe.errors import InputError

DEFAULT_CHOICES: Mapping[str, str] = {type_: next(iter(options)) for type_, options in ASSETS.items()}
MOST_NAMED = 40
"""Maximum number of names that an error lists."""
TOLERANCE = 1e-3
"""How far the probabilities of a relaxed choice may sum from 1."""


@dataclass(frozen=True)
class AvatarVector:
    """A strict vector. What is not given is neutral. Raises InputError if a name is unknown or a value out of range."""

    sliders: Mapping[str, float] = field(default_factory=dict)
    """In [0, 1] by name, in the order of facepipe.avatar.sliders.SLIDERS."""
    colours: Mapping[str, Colour] = field(default_factory=dict)
    """(lightness, tone) in [0, 1] by name of palette."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """Name of the option by type of asset."""

    def __post_init__(self) -> None:
        _set(self, "sliders", _complete_sliders(self.sliders))
        _set(self, "colours", _complete_colours(self.colours))
        _set(self, "choices", {**DEFAULT_CHOICES, **self.choices})
        _known("type of asset", self.choices, ASSETS)
        for type_, name in self.choices.items():
            _known(f"option of {type_}", [name], ASSETS[type_])

    def __reduce__(self) -> tuple[type[AvatarVector], tuple[dict[str, Any], ...]]:
        # Read-only mappings cannot be pickled.
        return type(self), (dict(self.sliders), dict(self.colours), dict(self.choices))

    def __hash__(self) -> int:
        return hash((*self.sliders.values(), *self.colours.values(), *self.choices.values()))

    def colour(self, name: str) -> Floats:
        """Return the sRGB colour (3,) in [0, 1] of a palette's place in this vector."""
        return PALETTES[name].colour(self.colours[name])

    def changed(
        self,
        sliders: Mapping[str, float] | None = None,
        colours: Mapping[str, Colour] | None = None,
        choices: Mapping[str, str] | None = None,
    ) -> AvatarVector:
        """Return a vector with other values in some places."""
        return AvatarVector(
            {**self.sliders, **(sliders or {})},
            {**self.colours, **(colours or {})},
            {**self.choices, **(choices or {})},
        )

    def numbers(self) -> NDArray[np.float64]:
        """Return the continuous part (CONTINUOUS,): sliders, then lightness and tone of each palette."""
        pairs = [value for colour in self.colours.values() for value in colour]
        return np.array([*self.sliders.values(), *pairs])

    def with_numbers(self, numbers: NDArray[np.float64]) -> AvatarVector:
        """Return a vector with the same choices and another continuous part (CONTINUOUS,), which is clipped."""
        values = [float(value) for value in np.clip(numbers, 0, 1)]
        pairs = values[len(NEUTRAL) :]
        colours = {name: (pairs[2 * i], pairs[2 * i + 1]) for i, name in enumerate(PALETTES)}
        return AvatarVector(dict(zip(NEUTRAL, values, strict=False)), colours, self.choices)

    def relaxed(self) -> RelaxedVector:
        """Return the same vector with each choice as probabilities, 1 for the chosen option."""
        shares = {
            type_: np.array([name == self.choices[type_] for name in options], np.float32)
            for type_, options in ASSETS.items()
        }
        return RelaxedVector(self.numbers(), shares)


@dataclass(frozen=True, eq=False)
class RelaxedVector:
    """A vector whose choices are probabilities. Raises InputError if a shape or a value does not fit."""

    continuous: NDArray[np.float64]
    """(CONTINUOUS,), in [0, 1]: sliders, then lightness and tone of each palette."""
    choices: Mapping[str, Floats]
    """Probabilities of the options by type, in the order of ASSETS; each sums to 1."""

    def __post_init__(self) -> None:
        if self.continuous.shape != (CONTINUOUS,) or not _within(self.continuous):
            raise InputError(
                f"the continuous part must be {CONTINUOUS} values from 0 to 1, not {self.continuous.shape}"
            )
        _known("type of asset", self.choices, ASSETS)
        for type_, options in ASSETS.items():
            shares = self.choices.get(type_, np.zeros(0))
            if shares.shape != (len(options),) or not _within(shares) or abs(float(shares.sum()) - 1) > TOLERANCE:
                raise InputError(f"the choice of {type_} must be {len(options)} probabilities that sum to 1")

    def strict(self) -> AvatarVector:
        """Return the vector with the most probable option of each type; the first of equal ones."""
        choices = {type_: list(options)[int(self.choices[type_].argmax())] for type_, options in ASSETS.items()}
        return AvatarVector(choices=choices).with_numbers(self.continuous)


NUMBERS = (*NEUTRAL, *(f"{name}.{axis}" for name in PALETTES for axis in ("lightness", "tone")))
"""Names of the continuous part."""
CONTINUOUS = len(NEUTRAL) + 2 * len(PALETTES)
"""Length of the continuous part of a vector."""


def _complete_sliders(given: Mapping[str, float]) -> dict[str, float]:
    _known("slider", given, NEUTRAL)
    return {name: _share(f"the slider {name}", given.get(name, value)) for name, value in NEUTRAL.items()}


def _complete_colours(given: Mapping[str, Colour]) -> dict[str, Colour]:
    _known("colour", given, PALETTES)
    found = {}
    for name, palette in PALETTES.items():
        place: Any = given.get(name, palette.neutral)
        if not isinstance(place, list | tuple) or len(place) != 2:
            raise InputError(
                f"the colour {name} must be lightness and tone, two numbers from 0 to 1, not {shown(place)}"
            )
        found[name] = (_share(f"the lightness of {name}", place[0]), _share(f"the tone of {name}", place[1]))
    return found


def _share(what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating) or not 0 <= value <= 1:
        raise InputError(f"{what} is {shown(value)}: give a number from 0 to 1")
    return float(value)


def _within(values: NDArray[np.floating[Any]]) -> bool:
    return bool(np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1)


def _known(what: str, given: Iterable[object], known: Iterable[str]) -> None:
    names = list(known)
    for name in given:
        if not isinstance(name, str):
            raise InputError(f"the {what} must be a name, not {shown(name)}")
        if name not in names:
            near = difflib.get_close_matches(name[:80], names, 3) or names
            listed = f"there are {', '.join(near)}" if len(near) <= MOST_NAMED else "`facepipe avatar assets` lists all"
            raise InputError(f"there is no {what} {shown(name)}; {listed}")


def shown(value: object) -> str:
    """Return a value as it is shown in an error, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _set(vector: AvatarVector, name: str, values: Mapping[str, Any]) -> None:
    object.__setattr__(vector, name, MappingProxyType(dict(values)))
