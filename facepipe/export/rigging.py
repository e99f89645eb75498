"""The rig of an avatar in what other programs have: morph targets that add up, and shares of the head's rotation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.avatar import Avatar
from facepipe.avatar.mesh import Floats, Morph, Part
from facepipe.avatar.units import UNITS

WEIGHTS = (0.25, 0.5, 0.75, 1.0)
STILL = 1e-5
"""Decimetres. Displacements below it are left out; a morph that the rig changes by less is kept as it is."""


@dataclass(frozen=True, eq=False)
class RiggedPart:
    """A part, and how it follows the head."""

    part: Part
    turning: Floats
    """(N,), share of the head's rotation that each vertex takes: 0 on the body, 1 on the head, between on the neck."""


def rigged_parts(avatar: Avatar) -> list[RiggedPart]:
    """Return the parts with morphs that come nearest to the rig, by least squares over WEIGHTS of each unit alone.

    The rig also slides the lids over the eyeballs; the morphs keep them outside at WEIGHTS. Where the rig only adds
    morphs, they are the same.
    """
    rest = avatar.pose()
    morphs: list[dict[str, Morph]] = [{} for _ in avatar.parts]
    for number, unit in enumerate(UNITS):
        if not _moves_lids(avatar, unit):
            for part, found in zip(avatar.parts, morphs, strict=True):
                found.update({unit: part.morphs[unit]} if unit in part.morphs else {})
            continue
        sums = [np.zeros(places.shape) for places in rest]
        for weight in WEIGHTS:
            for total, places, before in zip(sums, avatar.pose(_only(number, weight)), rest, strict=True):
                total += weight * (places.astype(np.float64) - before)
        for part, found, total in zip(avatar.parts, morphs, sums, strict=True):
            offsets = total / sum(weight * weight for weight in WEIGHTS)
            if part.name == "skin":
                _keep_outside(avatar, part.vertices, offsets)
            if morph := _morph(offsets, part.morphs.get(unit)):
                found[unit] = morph
    ends = np.cumsum([len(part.vertices) for part in avatar.parts])[:-1]
    shares = np.split(avatar.rig.turning, ends)
    return [
        RiggedPart(replace(part, morphs=found), share)
        for part, found, share in zip(avatar.parts, morphs, shares, strict=True)
    ]


def _moves_lids(avatar: Avatar, unit: str) -> bool:
    """Return whether a unit moves what slides over the eyeballs, and the rig does not only add its morphs."""
    (skin,) = (part for part in avatar.parts if part.name == "skin")
    sliding = [lids.sliding for lids in avatar.rig.lids.values()]
    return unit in skin.morphs and bool(np.isin(skin.morphs[unit].vertices, np.concatenate(sliding)).any())


def _keep_outside(avatar: Avatar, rest: Floats, offsets: NDArray[np.float64]) -> None:
    """Change offsets of the skin, in place, so that no vertex of a lid enters an eyeball on its straight way."""
    for side, lids in avatar.rig.lids.items():
        start, ways = rest[lids.sliding] - avatar.head.point(f"eye-{side}").astype(np.float64), offsets[lids.sliding]
        least = np.minimum(np.linalg.norm(start, axis=1), avatar.head.eye_radius)
        for weight in WEIGHTS:
            away = start + weight * ways
            distances = np.linalg.norm(away, axis=1)
            lacking = np.where(away[:, 2] > 0, np.maximum(least - distances, 0), 0)
            ways += away * (lacking / (weight * distances))[:, None]
        offsets[lids.sliding] = ways


def _only(number: int, weight: float) -> Floats:
    weights = np.zeros(len(UNITS), np.float32)
    weights[number] = weight
    return weights


def _morph(offsets: NDArray[np.float64], given: Morph | None) -> Morph | None:
    if given is not None:
        change = offsets.copy()
        change[given.vertices] -= given.offsets
        if np.abs(change).max() < STILL:
            return given
    moved = np.flatnonzero(np.abs(offsets).max(axis=1) > STILL).astype(np.int32)
    return Morph(moved, offsets[moved].astype(np.float32)) if len(moved) else None
