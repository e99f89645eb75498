"""How well avatars from portraits agree with planted vectors, and with what people see in the portraits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import deltaE_cie76, deltaE_ciede2000

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.vector import AvatarVector

Pixels = NDArray[np.uint8]
LONG_HAIR = (
    *("bob", "bob-fringe", "shag", "long-straight", "long-wavy", "long-fringe", "long-curly", "side-braid"),
    *("braids", "pigtails", "dreadlocks", "pony-tail"),
)
TIED_AS = "short"
"""What hair that is tied up counts as: nothing of it falls beside the neck."""


@dataclass(frozen=True)
class Looks:
    """What can be seen of a person or an avatar."""

    glasses: bool
    beard: bool
    hair: str
    """long, short or none."""


def looks_of(vector: AvatarVector) -> Looks:
    """Return the looks of an avatar. Hair beside the neck is long."""
    choices = vector.choices
    hair = "none" if choices["hair"] == "none" else "long" if choices["hair"] in LONG_HAIR else "short"
    return Looks(choices["glasses"] != "none", choices["beard"] != "none", hair)


def labelled_looks(label: Mapping[str, str]) -> Looks:
    """Return the looks in a row of tools/labels/unseen_portraits.tsv."""
    hair = TIED_AS if label["hair_length"] == "tied" else label["hair_length"]
    return Looks(label["glasses"] != "none", label["beard"] != "none", hair)


def planted_agreement(found: AvatarVector, planted: AvatarVector) -> dict[str, float]:
    """Return 1 for each type whose option is the planted one, else 0; all of them; and mean errors."""
    right = {type_: float(found.choices[type_] == planted.choices[type_]) for type_ in ASSETS}
    errors = [abs(found.sliders[name] - planted.sliders[name]) for name in planted.sliders]
    away = [
        abs(one - other)
        for name in planted.colours
        for one, other in zip(found.colours[name], planted.colours[name], strict=True)
    ]
    return {
        **right,
        "all": float(all(right.values())),
        "slider_error": float(np.mean(errors)),
        "colour_error": float(np.mean(away)),
    }


def box_colour(picture: Pixels, box: str) -> NDArray[np.float64] | None:
    """Return the median Lab colour (3,) in a box "x,y,w,h" of fractions of a picture; None for an empty text."""
    if not box:
        return None
    left, top, width, height = (float(value) for value in box.split(","))
    rows, columns = picture.shape[:2]
    area = picture[
        round(top * rows) : max(round((top + height) * rows), round(top * rows) + 1),
        round(left * columns) : max(round((left + width) * columns), round(left * columns) + 1),
    ]
    return median_lab(area.reshape(-1, 3))


def median_lab(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the median colour (3,) of sRGB pixels (N, 3) in CIE Lab (D65)."""
    lab = cv2.cvtColor(pixels[None].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    return np.asarray(np.median(lab, axis=0), np.float64)


def delta_e(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float]:
    """Return the CIEDE2000 and the CIE76 difference of two Lab colours (3,)."""
    both = (measured(first, second) for measured in (deltaE_ciede2000, deltaE_cie76))
    newer, older = (float(value) for value in both)
    return newer, older


def share_picked(
    avatars: NDArray[np.float64], people: NDArray[np.float64], *, among: int, draws: int, seed: int
) -> float:
    """Return how often an avatar is nearer to its own person than to others.

    Args:
        avatars: (N, D), one row an avatar.
        people: (N, D), its person.
        among: Number of people, its own among them.
        draws: Random sets of others for each avatar.
        seed: Of the sets.
    """
    random = np.random.default_rng(seed)
    away = np.linalg.norm(avatars[:, None] - people[None], axis=2)
    hits: list[bool] = []
    for row in range(len(avatars)):
        others = np.delete(np.arange(len(people)), row)
        for _ in range(draws):
            chosen = random.choice(others, among - 1, replace=False)
            hits.append(bool(away[row, row] < away[row, chosen].min()))
    return float(np.mean(hits))
