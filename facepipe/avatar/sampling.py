"""Random avatars."""

from __future__ import annotations

import numpy as np

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.colours import PALETTES
from facepipe.avatar.sliders import NEUTRAL
from facepipe.avatar.vector import AvatarVector

SPREAD = 0.16
"""Standard deviation of sliders about their neutral values."""
ABSENT = {"hair": 0.05, "beard": 0.65, "glasses": 0.6, "brows": 0.0, "hat": 0.8, "earrings": 0.65}
"""Probability of the option "none" by type. The others are equally probable."""


def sample(seed: int) -> AvatarVector:
    """Return a random avatar; the same seed gives the same one in one version of the engine."""
    random = np.random.default_rng(seed)
    sliders = {name: _near(random, neutral) for name, neutral in NEUTRAL.items()}
    colours = {name: (float(random.uniform()), float(random.uniform())) for name in PALETTES}
    # Light hair is rare on dark skin, and grey and bright red hair are rare at all.
    light = colours["skin"][0]
    colours["hair"] = (float(random.beta(1.3, 2.2)) * (0.35 + 0.65 * light), float(random.beta(2.5, 2.5)))
    return AvatarVector(sliders, colours, {type_: _option(random, type_) for type_ in ASSETS})


def _near(random: np.random.Generator, neutral: float) -> float:
    return float(np.clip(random.normal(neutral, SPREAD), 0, 1))


def _option(random: np.random.Generator, type_: str) -> str:
    others = [name for name in ASSETS[type_] if name != "none"]
    drawn, number = random.random() < ABSENT[type_], int(random.integers(len(others)))
    return "none" if drawn else others[number]
