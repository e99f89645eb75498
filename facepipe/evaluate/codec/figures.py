"""Figures over all clips: means by setting, correlations over all frames, and the entropy of the tokens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.evaluate.codec.coding import Coder
from facepipe.evaluate.codec.measures import MEASURES
from facepipe.evaluate.codec.scores import followed_of
from facepipe.evaluate.signals import correlations


@dataclass(frozen=True)
class Result:
    """The scores of one clip by one coder."""

    clip: str
    setting: str
    scores: Mapping[str, float]
    signals: Mapping[str, list[list[float]]]
    """By signal, the original's values and the decoded clip's."""
    tokens: list[list[int]] | None = None


@dataclass(frozen=True)
class SettingFigures:
    """The figures of one codec at one setting."""

    name: str
    family: str
    about: str
    means: Mapping[str, float]
    """By measure; one that could not be measured is absent."""
    correlations: Mapping[str, float]
    """By signal, over all frames after subtracting each clip's mean; nan without a face."""
    coded_over_entropy: float | None = None
    """Bits of the tokens over their empirical entropy; None for a codec without tokens."""


@dataclass(frozen=True)
class Figures:
    """The figures of all settings."""

    results: Sequence[Result]
    settings: Sequence[SettingFigures]

    def family(self, name: str) -> list[SettingFigures]:
        """Return the settings of a codec, that with the lowest rate first."""
        return sorted((one for one in self.settings if one.family == name), key=lambda one: one.means["rate"])


def gather(results: Sequence[Result], coders: Sequence[Coder]) -> Figures:
    """Return the figures of at least one clip."""
    return Figures(
        results, [_setting(coder, [one for one in results if one.setting == coder.name]) for coder in coders]
    )


def _setting(coder: Coder, results: Sequence[Result]) -> SettingFigures:
    means = {}
    for measure, about in MEASURES.items():
        values = [one.scores[measure] for one in results if math.isfinite(one.scores.get(measure, math.nan))]
        if values:
            means[measure] = float(np.median(values) if about.median else np.mean(values))
    followed = [signals for one in results if (signals := followed_of(one.signals)) is not None]
    pooled = {name: both[0] for name, both in correlations(followed).items()}
    return SettingFigures(coder.name, coder.family, coder.about, means, pooled, _over_entropy(results))


def _over_entropy(results: Sequence[Result]) -> float | None:
    """Return the bits of the tokens over their entropy by dimension and scale; None for a codec without tokens."""
    scales: dict[float, list[NDArray[np.int64]]] = {}
    for one in results:
        if not one.tokens:
            return None
        scales.setdefault(one.scores["scale"], []).append(np.asarray(one.tokens, np.int64))
    entropy = sum(entropy_bits(np.concatenate(tokens)) for tokens in scales.values())
    return 8 * sum(one.scores["token_bytes"] for one in results) / max(entropy, 1e-9)


def entropy_bits(tokens: NDArray[np.int64]) -> float:
    """Return the bits of (T, D) tokens under the empirical distribution of each dimension, without its table."""
    bits = 0.0
    for column in tokens.T:
        counts = np.unique(column, return_counts=True)[1]
        bits -= float((counts * np.log2(counts / len(column))).sum())
    return bits
