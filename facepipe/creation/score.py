"""Scores: how far the picture of a strict vector is from a target. Lower is better."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.mesh import PARTS
from facepipe.avatar.picture import Doubles, Picture
from facepipe.avatar.vector import AvatarVector, RelaxedVector
from facepipe.creation.alignment import STILL
from facepipe.creation.target import Floats, Pixels, Target

LEVELS = 4
"""Scales at which pictures are compared, each half as large as the one before."""
EDGES = 0.5
"""Weight of the differences of gradients."""
SHIFT = 2e-3
"""Cost of an alignment that is off by its standard deviation."""
SURENESS: Mapping[str, float] = {"hair": 2.0, "beard": 4.0, "brows": 4.0, "earrings": 0.2}
"""How much more the probabilities of a type count than those of others: the mapper knows hair, beards and brows better
than the pixels of a head whose shape is not quite right, and knows nothing of ear rings."""
LEAST = 1e-4
"""Probability that improbable options are taken to have."""


def halved(plane: Floats) -> Floats:
    """Return a picture (H, W, C) of half the size: means of 2x2 pixels."""
    pairs = plane[0::2] + plane[1::2]
    half: Floats = np.float32(0.25) * (pairs[:, 0::2] + pairs[:, 1::2])
    return half


def difference(picture: Pixels, target: Pixels, inside: Floats) -> Floats:
    """Return the difference (H, W, 3) of two pictures, in [-1, 1]; 0 where the target is not known."""
    subtracted: Floats = (picture.astype(np.float32) - target) * (inside[..., None] / np.float32(255))
    return subtracted


def distance(subtracted: Floats) -> float:
    """Return the distance of two pictures with a difference (H, W, 3): L1 of pixels and gradients at LEVELS scales."""
    total, plane = 0.0, subtracted
    for level in range(LEVELS):
        plane = halved(plane) if level else plane
        edges = np.abs(np.diff(plane, axis=0)).mean() + np.abs(np.diff(plane, axis=1)).mean()
        total += float(np.abs(plane).mean()) + EDGES * float(edges)
    return total / LEVELS


class Score:
    """The score of pictures against one target, with what the relaxed vector says of their vectors."""

    def __init__(self, target: Target, relaxed: RelaxedVector) -> None:
        self.target, self.trust = target, target.trust
        self._relaxed = relaxed
        self._costs = {
            type_: dict(zip(options, -np.log(np.maximum(relaxed.choices[type_], LEAST)), strict=True))
            for type_, options in ASSETS.items()
        }
        self._known = max(float(self.target.inside.sum()), 1.0)

    def __call__(self, vector: AvatarVector, picture: Picture, alignment: Doubles = STILL) -> float:
        """Return the score of a vector and its picture at the target's size, drawn with an alignment."""
        trust = self.trust
        score = self.prior(vector)
        if trust.place:
            score += SHIFT * float((((alignment - trust.place.mean) / trust.place.spread) ** 2).sum())
        if trust.pixels:
            score += trust.pixels * distance(difference(picture.colour, self.target.picture, self.target.inside))
        if trust.silhouette:
            score += trust.silhouette * self._silhouettes(picture)
        if trust.colours:
            score += trust.colours * self._colours(picture)
        return score

    def prior(self, vector: AvatarVector) -> float:
        """Return what a vector costs whatever its picture: improbable options, distant sliders and colours."""
        options = sum(
            SURENESS.get(type_, 1.0) * float(self._costs[type_][name]) for type_, name in vector.choices.items()
        )
        away = vector.numbers() - self._relaxed.continuous
        return self.trust.options * options + self.trust.continuous * float((away**2).mean())

    def _silhouettes(self, picture: Picture) -> float:
        """Return the mean difference of the person's outline and of the outlines of known parts."""
        return sum(self._apart(shown, known) for shown, known in self._planes(picture))

    def _planes(self, picture: Picture) -> list[tuple[Floats, Floats]]:
        planes = [((picture.parts > 0).astype(np.float32), self.target.matte)]
        return planes + [(_covered(picture, name), known) for name, known in self.target.parts.items()]

    def _apart(self, shown: Floats, known: Floats) -> float:
        return float((self.target.inside * np.abs(shown - known)).sum()) / self._known

    def _colours(self, picture: Picture) -> float:
        """Return the differences of the mean colours of known parts, weighted by the part's area in the target."""
        total = weight = 0.0
        for name, known in self.target.parts.items():
            shown, seen = _covered(picture, name) * self.target.inside, known * self.target.inside
            if not shown.any() or not seen.any():
                continue
            apart = np.abs(_mean_colour(picture.colour, shown) - _mean_colour(self.target.picture, seen)).mean()
            total += float(seen.sum()) * float(apart)
            weight += float(seen.sum())
        return total / max(weight, 1.0)


def _covered(picture: Picture, name: str) -> Floats:
    plane: Floats = (picture.parts == PARTS.index(name) + 1).astype(np.float32)
    return plane


def _mean_colour(picture: Pixels, weights: Floats) -> Floats:
    mean: Floats = (weights[..., None] * picture).sum(axis=(0, 1)) / (255 * weights.sum())
    return mean


def options_of(relaxed: RelaxedVector, type_: str) -> Mapping[str, float]:
    """Return the probabilities of a type's options by name."""
    return {name: float(share) for name, share in zip(ASSETS[type_], relaxed.choices[type_], strict=True)}
