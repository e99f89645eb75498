"""What people who looked at a portrait said of it, as sets of options of which one is right."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.layout import LENGTH, SPANS
from facepipe.avatar.sliders import NEUTRAL
from facepipe.avatar.vector import CONTINUOUS

HELD_OUT_SHARE = 6
"""One seen person in this many judges the mapper during its training."""
HAIR_LENGTHS: Mapping[str, tuple[str, ...]] = {
    "none": ("none",),
    "short": (
        *("buzz", "crop", "side-part", "quiff", "slick-back", "undercut", "flat-top", "mohawk", "caesar", "bowl"),
        *("pixie", "curly-short", "afro", "receding"),
    ),
    "tied": ("slick-back", "bun", "top-knot", "high-pony", "space-buns", "pony-tail"),
    "long": (
        *("bob", "bob-fringe", "shag", "long-straight", "long-wavy", "long-fringe", "long-curly", "side-braid"),
        *("braids", "pigtails", "dreadlocks", "pony-tail"),
    ),
}
FRINGES = ("caesar", "bowl", "pixie", "bob-fringe", "shag", "long-fringe")
CURLS = ("curly-short", "afro", "long-curly", "long-wavy", "shag", "dreadlocks")
BEARDS: Mapping[str, tuple[str, ...]] = {
    "none": ("none",),
    "stubble": ("stubble",),
    "moustache": ("moustache", "handlebar"),
    "goatee": ("goatee", "van-dyke", "handlebar"),
    "full": ("short", "full", "long", "chin-strap", "mutton-chops"),
}
GENDERS = {"f": 0.3, "m": 0.75}
"""Values of the slider gender."""
COUNT = 10
"""Sets of one portrait at most."""


class Labels(NamedTuple):
    """Labels of N portraits."""

    sets: Tensor
    """(N, COUNT, options of all types), 1 for the options of a set."""
    weights: Tensor
    """(N, COUNT), of the sets in the loss; 0 for unused ones."""
    gender: Tensor
    """(N,), value of the slider; NaN if unknown."""
    rate: Tensor
    """(N,), how often a portrait is drawn."""

    def rows(self, rows: Tensor) -> Labels:
        """Return chosen labels."""
        return Labels(*(one[rows] for one in self))


def sets_of(label: Mapping[str, str]) -> list[tuple[str, tuple[str, ...], float]]:
    """Return (type, options of which one is right, weight) for the label of a portrait."""
    found: list[tuple[str, tuple[str, ...], float]] = []
    glasses = label["glasses"]
    found.append(("glasses", ("none",) if glasses == "none" else _others("glasses", "none"), 1.0))
    if glasses != "none":
        dark = ("sunglasses", "aviator")
        found.append(("glasses", dark if glasses == "sun" else _others("glasses", "none", "sunglasses"), 0.5))
        found.append(("glasses", (label["glasses_option"],), 0.3))
    beard = label["beard"]
    found.append(("beard", BEARDS[beard], 0.6))
    found.append(("beard", ("none",) if beard == "none" else _others("beard", "none"), 0.6))
    if beard in ("goatee", "full", "moustache"):
        found.append(("beard", (label["beard_option"],), 0.3))
    hat = label["hat"]
    found.append(("hat", ("none",) if hat in ("none", "other") else (hat,), 0.7))
    if (length := label.get("hair_length", "")) and hat != "other":
        found.append(("hair", HAIR_LENGTHS[length], 1.0))
        fringed = label["fringe"] == "yes"
        found.append(("hair", FRINGES if fringed else _others("hair", *FRINGES), 0.3))
        options = tuple(name for name in (label["hair_option"], label["hair_second"]) if name)
        if options:
            found.append(("hair", options, 0.5))
    return found


def _others(type_: str, *names: str) -> tuple[str, ...]:
    return tuple(name for name in ASSETS[type_] if name not in names)


def labels_of(files: Sequence[str], known: Mapping[str, Mapping[str, str]]) -> tuple[Labels, list[int]]:
    """Return the labels of files, and the rows of the files that are labelled and usable."""
    rows = [row for row, name in enumerate(files) if known.get(name, {}).get("usable") == "yes"]
    sets, weights = torch.zeros(len(rows), COUNT, LENGTH - CONTINUOUS), torch.zeros(len(rows), COUNT)
    gender, rate = torch.full((len(rows),), float("nan")), torch.ones(len(rows))
    for number, row in enumerate(rows):
        label = known[files[row]]
        for place, (type_, options, weight) in enumerate(sets_of(label)):
            for name in options:
                sets[number, place, SPANS[type_].start - CONTINUOUS + list(ASSETS[type_]).index(name)] = 1
            weights[number, place] = weight
        gender[number] = GENDERS.get(label["gender"], float("nan"))
        rate[number] = _rate(label)
    return Labels(sets, weights, gender, rate), rows


def _rate(label: Mapping[str, str]) -> float:
    """Rare looks are drawn more often."""
    rate = 3.0 if label["glasses"] != "none" else 1.0
    rate *= 1.7 if label["beard"] != "none" else 1.0
    rate *= 4.0 if label.get("hair_length") == "none" else 1.0
    return rate * (2.0 if label["hat"] not in ("none", "other") else 1.0)


def validates(identity: str) -> bool:
    """Return whether a person belongs to those who judge the mapper during the training."""
    return zlib.crc32(identity.encode()) % HELD_OUT_SHARE == 0


GENDER = list(NEUTRAL).index("gender")
