"""Painting: colours of the skin's vertices, with the soft shading that gives a flat colour life."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from facepipe.avatar.mesh import Floats, Reals
from facepipe.avatar.template import Template
from facepipe.avatar.vector import AvatarVector

CAVITY = np.array([0.45, 0.13, 0.14])
"""Colour of the inside of the mouth."""
BLUSH = np.array([1.0, 0.45, 0.42])


def skin_colours(template: Template, vector: AvatarVector) -> Floats:
    """Return the colours (N, 3) of the skin, sRGB in [0, 1]."""
    masks = _masks(template)
    base = vector.colour("skin").astype(np.float64)
    colours: Reals = np.tile(base, (len(template.vertices), 1))
    lips = vector.colour("lips")
    natural = base * np.array([0.86, 0.62, 0.62]) + 0.25 * base.mean() * (lips - 0.5)
    shade = base * np.array([0.86, 0.76, 0.74])
    colours = _mixed(colours, shade, 0.5 * masks["shade"])
    colours = _mixed(colours, base * BLUSH, masks["cheeks"] * 0.5 * vector.sliders["blush"])
    colours = _mixed(colours, base * np.array([1, 0.72, 0.7]), 0.25 * masks["warm"])
    colours = _mixed(colours, 0.45 * lips + 0.55 * natural, 0.9 * masks["lips"])
    colours = _mixed(colours, CAVITY, masks["cavity"])
    painted: Floats = np.clip(colours, 0, 1).astype(np.float32)
    return painted


def _mixed(colours: Reals, paint: Reals, share: Reals) -> Reals:
    mixed: Reals = colours + share[:, None] * (paint - colours)
    return mixed


@lru_cache(maxsize=2)
def _masks(template: Template) -> dict[str, Reals]:
    """Return shares (N,) of each paint on the template."""
    regions: dict[str, Reals] = {name: np.zeros(len(template.vertices)) for name in template.regions}
    for name, vertices in template.regions.items():
        regions[name][vertices] = 1
    return {
        "cheeks": np.maximum(_spot(template, "cheek-left", 0.24), _spot(template, "cheek-right", 0.24)),
        "shade": np.maximum.reduce(
            [0.7 * _lid(template, "left"), 0.7 * _lid(template, "right"), _spot(template, "throat", 0.5)]
        ),
        "warm": np.maximum.reduce([_spot(template, "nose-tip", 0.16), regions["ear-left"], regions["ear-right"]]),
        "lips": regions["lips"],
        "cavity": regions["mouth-cavity"],
    }


def _spot(template: Template, name: str, size: float) -> Reals:
    """Return shares (N,) that fall off around a landmark, over `size` decimetres."""
    away = template.vertices - template.vertices[template.landmarks[name]]
    share: Reals = np.exp(-((np.linalg.norm(away, axis=1) / size) ** 2))
    return share


def _lid(template: Template, side: str) -> Reals:
    """Return shares (N,) that fall off away from the edges of the lids of an eye."""
    share: Reals = np.exp(-(((np.maximum(template.rings[f"lid-{side}"], 2) - 2) / 4.0) ** 2))
    return share
