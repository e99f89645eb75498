"""The shell of a hair style: strands from the crown over the skull, which hang down below the hairline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.assets.skull import Skull, natural_hairline, noise, skull_of
from facepipe.avatar.assets.surface import Draft, draft, grid_triangles
from facepipe.avatar.regions import SKULL
from facepipe.avatar.template import Template

Numbers = NDArray[np.floating[Any]]
Nodes = Sequence[tuple[float, float]]

STRANDS, SCALP_ROWS, HANGING_ROWS, RIM_ROWS = 96, 16, 14, 3
CLEARANCE, SHORN = 0.012, 0.014
"""Least distance from the skin, and thickness of shorn hair, decimetres."""


@dataclass(frozen=True)
class HairStyle:
    """Shape of a hair style. Angles are degrees of azimuth: 0 in front, 90 the avatar's left, negative its right."""

    heights: Nodes = ((0, 0.16), (90, 0.12), (180, 0.14))
    """Thickness over the hairline by absolute azimuth, decimetres."""
    top: float = 0.16
    """Thickness at the crown, decimetres."""
    front: float = 0.0
    """Additional thickness of the front of the top, as of a quiff."""
    sweep: float = 0.0
    """Degrees by which `front` leans to the avatar's left."""
    hem: Nodes = ((0, 9),)
    """Height of the hair's ends by absolute azimuth, decimetres. Above the hairline there is no hanging hair."""
    line: Nodes = ((0, 0),)
    """Displacement of the hairline upwards by absolute azimuth, decimetres: a bare forehead, shaved sides."""
    part: float | None = None
    """Azimuth of a parting at the front hairline."""
    flare: float = 0.0
    """Displacement of the ends outwards, decimetres; negative inwards."""
    waves: float = 0.0
    """Amplitude of waves along hanging strands, decimetres."""
    curls: float = 0.0
    """Amplitude of bumps, decimetres."""
    strip: float | None = None
    """Half width of the hair of a mohawk, decimetres; beside it hair is shorn."""
    taper: float = 5.0
    """How abruptly hair without hanging ends gets thin at the hairline of sides and back: 1 gradually to 8. In front it
    is 5."""
    strands: float = 0.018
    """Depth of the furrows between locks, decimetres."""
    locks: int = 21
    """Number of locks around the head."""
    ragged: float = 0.03
    """How much the ends differ in length, decimetres."""
    seed: int = 1


def shell(template: Template, style: HairStyle) -> Draft:
    """Return the shell of a style on a template."""
    skull = skull_of(template)
    azimuth = np.arange(STRANDS) * (360 / STRANDS) - 180
    angle = np.radians(azimuth)
    line = natural_hairline(azimuth) + _at(style.line, azimuth)
    line = line + 0.02 * noise(angle, style.seed + 1, 16)
    scalp, height = _scalp(skull, style, azimuth, line)
    hanging = _hanging(skull, style, azimuth, scalp, height)
    rim = _rim(hanging, azimuth)
    rows = np.concatenate([scalp, hanging, rim])
    edge = SCALP_ROWS - 1
    anchors = np.concatenate([scalp, np.broadcast_to(scalp[edge], (len(rows) - SCALP_ROWS, *scalp.shape[1:]))])
    return draft(
        rows.reshape(-1, 3),
        grid_triangles(len(rows), STRANDS, wrap=True),
        shades=_shades(style, azimuth, len(rows)).ravel(),
        clearance=_clearances(len(rows)).ravel(),
        anchors=anchors.reshape(-1, 3),
    )


def _scalp(skull: Skull, style: HairStyle, azimuth: Numbers, line: Numbers) -> tuple[Numbers, Numbers]:
    """Return rows (SCALP_ROWS, STRANDS, 3) from the crown to the hairline, and their thickness at the last."""
    edge = skull.elevation_at(azimuth, line)
    share = np.linspace(0, 1, SCALP_ROWS)[:, None]
    elevation = 89.0 + share * (edge[None] - 89.0)
    side = _at(style.heights, azimuth)
    thick = style.top + (side - style.top)[None] * np.clip(share * 1.25, 0, 1) ** 1.5
    front = np.exp(-(((azimuth - style.sweep) / 48) ** 2))[None] * np.sin(np.pi * np.clip(share, 0, 0.97) ** 1.6)
    thick = thick + style.front * front
    thick = thick * _relief(style, azimuth, share)
    if style.part is not None:
        near = np.exp(-((((azimuth - style.part + 180) % 360 - 180) / 7) ** 2))[None] * np.clip(share * 1.6, 0, 1)
        thick = thick * (1 - 0.75 * near)
    thick = thick + style.curls * _bumps(style, azimuth, share)
    # Hair leaves the skin at the hairline; hanging hair leaves it above, at full thickness.
    hangs = (_ends(style, azimuth) < line)[None]
    taper = np.interp(np.abs(azimuth), [40, 75], [5.0, style.taper])[None]
    taper = np.where(hangs, 1.0, np.clip(1 - share**taper, 0.0, 1) ** 0.6)
    thick = np.maximum(thick * taper, SHORN)
    if style.strip is not None:
        across = np.abs(skull.places(azimuth[None], elevation)[..., 0]) / style.strip
        thick = SHORN + (thick - SHORN) * np.exp(-(across**6))
    return skull.places(azimuth[None], elevation, thick), thick[-1]


def _ends(style: HairStyle, azimuth: Numbers) -> Numbers:
    ragged = noise(np.radians(azimuth), style.seed + 2, 24) * style.ragged
    ends: Numbers = _at(style.hem, azimuth) + ragged
    return ends


def _hanging(skull: Skull, style: HairStyle, azimuth: Numbers, scalp: Numbers, height: Numbers) -> Numbers:
    """Return rows (HANGING_ROWS, STRANDS, 3) that fall from the hairline; without hanging hair, all at the hairline."""
    start = scalp[-1]
    drop = np.maximum(start[:, 1] - _ends(style, azimuth), 0.0)
    share = (np.arange(1, HANGING_ROWS + 1) / HANGING_ROWS)[:, None]
    y = start[None, :, 1] - share * drop[None]
    elevation = np.degrees(np.arctan2(y - SKULL[1], np.hypot(start[:, 0], start[:, 2] - SKULL[2])[None]))
    out = np.stack([np.sin(np.radians(azimuth)), np.cos(np.radians(azimuth))], axis=-1)
    surface = skull.places(azimuth[None], np.maximum(elevation, -40.0), height[None] * 0.9)
    surface_reach = np.einsum("rsx,sx->rs", surface[..., [0, 2]] - SKULL[[0, 2]], out)
    begin = np.einsum("sx,sx->s", start[:, [0, 2]] - SKULL[[0, 2]], out)[None]
    reach = np.maximum.accumulate(np.maximum(np.where(y > 7.1, surface_reach, 0), begin), axis=0)
    hung = np.clip(drop / 0.5, 0, 1)[None]
    reach = reach + hung * (
        style.flare * share**2 + style.waves * np.sin(9 * share * np.maximum(drop, 0.3)[None] * 1.6)
    )
    reach = reach + hung * np.sqrt(share) * style.strands * 1.6 * _locks(style, azimuth)[None]
    reach = reach + hung * style.curls * _bumps(style, azimuth, share + 1)
    places = np.empty((*reach.shape, 3))
    places[..., 0], places[..., 1] = SKULL[0] + reach * out[None, :, 0], y
    places[..., 2] = SKULL[2] + reach * out[None, :, 1]
    return np.where((drop > 0)[None, :, None], places, start[None])


def _rim(hanging: Numbers, azimuth: Numbers) -> Numbers:
    """Return rows (RIM_ROWS, STRANDS, 3) that turn inwards at the ends and run back up inside."""
    inward = -np.stack([np.sin(np.radians(azimuth)), np.zeros(len(azimuth)), np.cos(np.radians(azimuth))], axis=-1)
    last = hanging[-1]
    length = np.clip((hanging[0] - last)[:, 1:2], 0, 0.4)
    rows = [
        last + inward * 0.03 * k + np.array([0, 1.0, 0]) * length * (k / RIM_ROWS) ** 2 for k in range(1, RIM_ROWS + 1)
    ]
    return np.stack(rows)


def _at(nodes: Nodes, azimuth: Numbers) -> Numbers:
    """Return values at azimuths by linear interpolation between nodes of absolute azimuth."""
    found: Numbers = np.interp(np.abs(azimuth), [angle for angle, _ in nodes], [value for _, value in nodes])
    return found


def _locks(style: HairStyle, azimuth: Numbers) -> Numbers:
    """Return the profile of locks in [-1, 1] over the azimuth: round backs with narrow furrows."""
    angle = np.radians(azimuth)
    wave = np.abs(np.sin(0.5 * style.locks * angle + 0.7 * noise(angle, style.seed + 3, 6)))
    profile: Numbers = 1.6 * wave - 1
    return profile


def _relief(style: HairStyle, azimuth: Numbers, share: Numbers) -> Numbers:
    """Return factors of the thickness: locks that deepen towards the hairline."""
    depth = min(0.45, style.strands / 0.05)
    return 1 + depth * _locks(style, azimuth)[None] * np.clip(share, 0.1, 1)


def _bumps(style: HairStyle, azimuth: Numbers, share: Numbers) -> Numbers:
    """Return bumps in about [-1, 1] of curls, of equal size over the head."""
    angle = np.radians(azimuth)[None]
    ring = np.round(14 * np.clip(np.sin(np.pi / 2 * np.minimum(share, 1)), 0.05, 1))
    bumps: Numbers = np.sin(ring * angle + 3 * np.sin(9 * share)) * np.sin(
        22 * share + 2 * np.sin(5 * angle + style.seed)
    )
    return bumps


def _shades(style: HairStyle, azimuth: Numbers, rows: int) -> Numbers:
    """Return factors of the colour (rows, STRANDS): dark furrows and roots, light ends, a dark inside."""
    along = np.linspace(0, 1, rows)[:, None]
    angle = np.radians(azimuth)[None]
    shade: Numbers = 0.94 + 0.1 * along + 0.09 * _locks(style, azimuth)[None] * np.clip(2 * along, 0, 1)
    shade = shade + 0.07 * noise(angle, style.seed + 4, 30)
    shade[-RIM_ROWS:] = np.linspace(0.8, 0.5, RIM_ROWS)[:, None]
    return shade


def _clearances(rows: int) -> Numbers:
    """Return the least distances (rows, STRANDS) from the skin."""
    held = np.full((rows, STRANDS), CLEARANCE)
    held[SCALP_ROWS : SCALP_ROWS + HANGING_ROWS] = 0.035
    return held
