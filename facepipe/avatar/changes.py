"""Changes of a vector as text: `hair=bob`, `head_width=0.7`, `skin=tan`, `eyes=0.4,0.9`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.colours import PALETTES, Colour
from facepipe.avatar.sliders import NEUTRAL
from facepipe.avatar.vector import AvatarVector
from facepipe.errors import UsageError

NEUTRAL_WORD = "neutral"
SHARED = set(ASSETS) & set(PALETTES)
"""Names that are a type of asset and a palette: a value chooses what it names."""


def changed(vector: AvatarVector, changes: Iterable[str]) -> AvatarVector:
    """Return a vector after changes NAME=VALUE, in order.

    NAME is a slider (a number from 0 to 1), a colour (a swatch, or lightness and tone, two numbers from 0 to 1), or a
    type of asset (an option). The value "neutral" resets one. Raises UsageError for another name or value.
    """
    for text in changes:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise UsageError(f"got the change {text!r}, expected NAME=VALUE, such as hair=bob or head_width=0.7")
        vector = _with(vector, name.strip(), value.strip())
    return vector


def _with(vector: AvatarVector, name: str, value: str) -> AvatarVector:
    if name in NEUTRAL:
        return vector.changed(sliders={name: NEUTRAL[name] if value == NEUTRAL_WORD else _number(name, value)})
    if name in ASSETS and (value in ASSETS[name] or name not in PALETTES):
        return vector.changed(choices={name: _option(name, value)})
    if name in PALETTES:
        return vector.changed(colours={name: _colour(name, value)})
    known = [*NEUTRAL, *PALETTES, *(type_ for type_ in ASSETS if type_ not in PALETTES)]
    near = difflib.get_close_matches(name, known, 3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`facepipe avatar assets` lists all"
    raise UsageError(f"there is no slider, colour or type of asset {name!r}; {hint}")


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise UsageError(f"{name} is {value!r}, expected a number from 0 to 1, or {NEUTRAL_WORD}")
    return number


def _option(name: str, value: str) -> str:
    options = ASSETS[name]
    chosen = next(iter(options)) if value == NEUTRAL_WORD else value
    if chosen not in options:
        near = difflib.get_close_matches(value, options, 3) or list(options)
        raise UsageError(f"{name} has no option {value!r}; there are {', '.join(near)}")
    return chosen


def _colour(name: str, value: str) -> Colour:
    palette = PALETTES[name]
    if value == NEUTRAL_WORD:
        return palette.neutral
    if value in palette.swatches:
        return palette.swatches[value]
    parts = value.split(",")
    if len(parts) == 2:
        return _number(f"the lightness of {name}", parts[0]), _number(f"the tone of {name}", parts[1])
    kinds = [*palette.swatches, *(ASSETS[name] if name in SHARED else ())]
    near = difflib.get_close_matches(value, kinds, 3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`facepipe avatar assets` lists all"
    raise UsageError(f"{name} has no {value!r}: give a name, or lightness and tone as 0.4,0.9; {hint}")
