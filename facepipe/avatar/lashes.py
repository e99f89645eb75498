"""Lashes: a curved strip along the edge of each upper lid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facepipe.avatar.closing import Lids, Rim
from facepipe.avatar.mesh import Indices, Material, Part, Reals
from facepipe.avatar.shaped_head import ShapedHead, morphs_of
from facepipe.avatar.template import Attachment
from facepipe.avatar.units import UNITS

SIDES = ("left", "right")
SAMPLES = 25
ROWS = 3
LENGTHS = (0.03, 0.11)
"""Decimetres at the slider's ends."""
ROLL = 1.5
"""How far the tips sink with a blink, as a multiple of their height above the roots."""


@dataclass(frozen=True, eq=False)
class LashRoots:
    """Where the lashes of one eye grow from."""

    span: slice
    """The vertices of the part of the lashes."""
    corners: Indices
    """(K, 3), vertices of the skin around the root of each."""
    weights: Reals
    """(K, 3), their shares in it."""


def _roots(rim: Rim, *, reverse: bool) -> Attachment:
    """Return the places of the roots along the upper edge of a lid, from its inner corner outwards."""
    shares = np.linspace(0.03, 0.985, SAMPLES)
    shares = 1 - shares[::-1] if reverse else shares
    second = np.clip(np.searchsorted(rim.upper_shares, shares), 1, len(rim.upper) - 1)
    low, high = rim.upper_shares[second - 1], rim.upper_shares[second]
    part = np.clip((shares - low) / np.maximum(high - low, 1e-9), 0, 1)
    corners = np.stack([rim.upper[second - 1], rim.upper[second], rim.upper[second]], axis=1)
    weights = np.stack([1 - part, part, np.zeros(SAMPLES)], axis=1)
    if reverse:
        corners, weights = corners[::-1], weights[::-1]
    return Attachment(
        np.ascontiguousarray(corners, np.int32),
        np.ascontiguousarray(weights, np.float32),
        np.full(SAMPLES, 0.004, np.float32),
        np.zeros((SAMPLES, 3), np.float32),
    )


def lash_roots(lids: Mapping[str, Lids]) -> dict[str, LashRoots]:
    """Return the roots of the lashes by side."""
    roots, count = {}, ROWS * SAMPLES
    for number, side in enumerate(SIDES):
        attachment = _roots(lids[side].rim, reverse=side == "right")
        span = slice(number * count, (number + 1) * count)
        tiles = (ROWS, 1)
        roots[side] = LashRoots(span, np.tile(attachment.corners, tiles), np.tile(attachment.weights, tiles))
    return roots


def lashes(head: ShapedHead, lids: Mapping[str, Lids], length_share: float, colour: Reals) -> Part:
    """Return the part of both eyes' lashes. `length_share` in [0, 1] is the slider; `colour` (3,) sRGB."""
    places, moves, triangles = [], [], []
    for number, side in enumerate(SIDES):
        attachment = _roots(lids[side].rim, reverse=side == "right")
        place, rise = _strip(head, attachment, side, length_share)
        move = np.repeat(head.moved(attachment)[:, None], ROWS, axis=1)
        if len(move):
            move[UNITS.index(f"eyeBlink{side.capitalize()}"), :, :, 1] -= ROLL * rise
        places.append(place.reshape(-1, 3))
        moves.append(move.reshape(len(move), ROWS * SAMPLES, 3))
        triangles.append(_triangles() + number * ROWS * SAMPLES)
    vertices = np.concatenate(places).astype(np.float32)
    return Part(
        "lashes",
        vertices,
        np.concatenate(triangles),
        np.tile(np.asarray(colour, np.float32), (len(vertices), 1)),
        material=Material(roughness=0.9, double_sided=True),
        morphs=morphs_of(np.concatenate(moves, axis=1)),
    )


def _strip(head: ShapedHead, attachment: Attachment, side: str, length_share: float) -> tuple[Reals, Reals]:
    """Return the places (ROWS, SAMPLES, 3) of a strip, and the heights (ROWS, SAMPLES) of its rows above the roots."""
    sign = 1.0 if side == "left" else -1.0
    base = head.place(attachment)
    across = np.linspace(0, 1, SAMPLES)
    length = LENGTHS[0] + length_share**1.5 * (LENGTHS[1] - LENGTHS[0])
    profile = length * (0.35 + 0.65 * np.sin(np.pi * np.clip(across * 0.75 + 0.08, 0, 1)) ** 0.7) * (across > 0)
    out = base - head.point(f"eye-{side}")
    out = out / np.linalg.norm(out, axis=1, keepdims=True)
    rows, rises = [], []
    for share in np.linspace(0, 1, ROWS):
        up = profile * share * (0.35 + 0.45 * share)
        side_way = profile * share * 0.55 * across * sign
        rows.append(base + out * (profile * share * 0.7)[:, None] + np.stack([side_way, up, np.zeros(SAMPLES)], axis=1))
        rises.append(up)
    return np.stack(rows), np.stack(rises)


def _triangles() -> Indices:
    row, column = np.meshgrid(np.arange(ROWS - 1), np.arange(SAMPLES - 1), indexing="ij")
    first = (row * SAMPLES + column).ravel()
    return np.concatenate(
        [
            np.stack([first, first + 1, first + SAMPLES], axis=1),
            np.stack([first + 1, first + SAMPLES + 1, first + SAMPLES], axis=1),
        ]
    ).astype(np.int32)
