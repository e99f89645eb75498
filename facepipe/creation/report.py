"""The files of a creation that hold numbers: the relaxed vector by names, and the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.colours import PALETTES, Colour
from facepipe.avatar.head import ENGINE_VERSION
from facepipe.avatar.sliders import NEUTRAL
from facepipe.avatar.vector import AvatarVector, RelaxedVector
from facepipe.creation.creation import Creation
from facepipe.creation.stylised import DRAWING, PHOTOGRAPH, STYLISED
from facepipe.engine.remark import Remark, remark_facts

RELAXED_FORMAT, REPORT_FORMAT, SCHEMA_VERSION = "facepipe-relaxed-avatar", "facepipe-avatar-report", 1
DIGITS = 6
STYLIZERS = {
    PHOTOGRAPH: "none: smoothing and a warp of the portrait",
    STYLISED: "the user's own",
    DRAWING: "none: the portrait is a drawing by the engine",
}
"""What made the target, by kind of the portrait."""
DIFFERENCE = "mean absolute difference from the target within the portrait, sRGB from 0 to 1"
SCORE = "score of the search; lower is better"


@dataclass(frozen=True)
class Origin:
    """What a creation was made by."""

    head: str
    """Digest of the compiled head."""
    weights: Mapping[str, str]
    """sha256 of the networks, by name."""
    code: bool
    """Whether the mapper was given a W+ code."""


def relaxed_content(vector: RelaxedVector, head: str) -> dict[str, Any]:
    """Return the content of relaxed.json. Options are in the order of probability."""
    values = [float(value) for value in vector.continuous]
    pairs = values[len(NEUTRAL) :]
    choices = {
        type_: dict(sorted(zip(options, map(float, vector.choices[type_]), strict=True), key=lambda one: -one[1]))
        for type_, options in ASSETS.items()
    }
    return {
        "format": RELAXED_FORMAT,
        "schema": SCHEMA_VERSION,
        "engine": ENGINE_VERSION,
        "head": head,
        "sliders": dict(zip(NEUTRAL, values, strict=False)),
        "colours": {name: pairs[2 * i : 2 * i + 2] for i, name in enumerate(PALETTES)},
        "choices": choices,
    }


def report_of(creation: Creation, origin: Origin, remarks: Iterable[Remark]) -> dict[str, Any]:
    """Return the content of report.json. It has no times, so that equal inputs give equal bytes."""
    conversion = creation.conversion
    before, after = creation.differences["argmax"], creation.differences["search"]
    return {
        "format": REPORT_FORMAT,
        "schema": SCHEMA_VERSION,
        "engine": ENGINE_VERSION,
        "head": origin.head,
        "weights": dict(origin.weights),
        "models": {
            "stylizer": STYLIZERS[creation.target.kind],
            "mapper": "of W+ codes" if origin.code else "of the portrait's pixels",
        },
        "difference": {"unit": DIFFERENCE, **{name: _rounded(value) for name, value in creation.differences.items()}},
        "score": {"unit": SCORE, "argmax": _rounded(conversion.argmax_score), "search": _rounded(conversion.score)},
        "gain_over_argmax": {
            "difference": _gain(before, after),
            "score": _gain(conversion.argmax_score, conversion.score),
        },
        "changed_by_search": _changed(conversion.argmax, conversion.vector),
        "trace": [_rounded_values(asdict(step)) for step in conversion.trace],
        "colours": {name: _colour(name, creation) for name in PALETTES},
        "remarks": remark_facts(remarks),
    }


def _colour(name: str, creation: Creation) -> dict[str, Any]:
    """Return the colour that was measured and the one that the search ended with, as sRGB."""
    numbers = creation.relaxed.strict().colours[name]
    return {"measured": hex_of(name, numbers), "avatar": hex_of(name, creation.conversion.vector.colours[name])}


def hex_of(name: str, place: Colour) -> str:
    """Return the colour at a place of a palette as #rrggbb."""
    levels = (round(255 * float(level)) for level in PALETTES[name].colour(place))
    return "#" + "".join(f"{level:02x}" for level in levels)


def _changed(before: AvatarVector, after: AvatarVector) -> dict[str, list[str]]:
    return {
        type_: [before.choices[type_], name] for type_, name in after.choices.items() if before.choices[type_] != name
    }


def _gain(before: float, after: float) -> float:
    """Return the share of a difference that the search removed."""
    return round(1 - after / before, 4) if before > 0 else 0.0


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)


def _rounded_values(step: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _rounded(value) if isinstance(value, float) else value for name, value in step.items()}
