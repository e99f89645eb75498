"""Hats: shells over the skull, with brims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.assets.asset import Asset, nothing
from facepipe.avatar.assets.skull import Skull, skull_of
from facepipe.avatar.assets.surface import Draft, Surface, attach, ball, draft, grid_triangles, merge, part_of
from facepipe.avatar.mesh import Material, Part
from facepipe.avatar.regions import SKULL
from facepipe.avatar.shaped_head import ShapedHead
from facepipe.avatar.template import Template

if TYPE_CHECKING:
    from facepipe.avatar.vector import AvatarVector

Numbers = NDArray[np.floating[Any]]
Nodes = Sequence[tuple[float, float]]
MATERIAL = Material(roughness=0.85)
COLUMNS, CROWN_ROWS, BRIM_ROWS = 72, 16, 6
HEADBAND_DEGREES = 17.0
"""Width of a headband."""
CLEARANCE, SUNK = 0.02, -0.01
"""Least height of a hat above the skin, and the height of the end of its inside, decimetres."""
LEAST_ROOM = 0.012
"""Decimetres between the skin and hair below the side of a hat that lies on it."""
PRESSED = 0.06
"""Decimetres between a hat and the hair pressed down by it."""


@dataclass(frozen=True)
class HatStyle:
    """Shape of a hat. Angles are degrees of azimuth: 0 in front, 180 behind."""

    rim: Nodes
    """Height of the rim by absolute azimuth, decimetres."""
    room: float = 0.2
    """Distance from the skull at the rim, decimetres."""
    top: float = 0.25
    """The same at the crown."""
    flat: float = 0.0
    """How flat the top is: 0 round to 1."""
    brim: Nodes = ((0, 0.0),)
    """Width of the brim by absolute azimuth, decimetres."""
    slope: float = 0.35
    """Fall of the brim, as a fraction of its width."""
    ribs: float = 0.0
    """Depth of the ribs of knitted wool, decimetres."""
    fold: float = 0.0
    """Height of the turned-up edge, decimetres."""
    lean: float = 0.0
    """How far the top leans to one side, decimetres."""
    pompom: float = 0.0
    """Radius of a ball on top, decimetres."""
    band: float = 1.0
    """Factor of the colour of the lowest rows."""


LEVEL = ((0, 7.82), (60, 7.6), (100, 7.42), (180, 7.15))
HATS = {
    "beanie": HatStyle(LEVEL, ribs=0.02, fold=0.24, top=0.3, room=0.13),
    "pompom": HatStyle(LEVEL, ribs=0.025, fold=0.22, top=0.32, room=0.13, pompom=0.24),
    "cap": HatStyle(
        ((0, 7.85), (60, 7.66), (180, 7.35)),
        room=0.12,
        top=0.22,
        brim=((0, 0.72), (30, 0.66), (50, 0.35), (62, 0.0)),
        slope=0.2,
    ),
    "sun-hat": HatStyle(
        ((0, 7.8), (180, 7.45)), room=0.13, top=0.26, flat=0.5, brim=((0, 0.85), (180, 0.75)), slope=0.3, band=0.55
    ),
    "fedora": HatStyle(
        ((0, 7.85), (180, 7.5)),
        room=0.12,
        top=0.36,
        flat=0.8,
        brim=((0, 0.5), (90, 0.42), (180, 0.45)),
        slope=0.1,
        band=0.4,
    ),
    "bucket": HatStyle(
        ((0, 7.8), (180, 7.4)), room=0.12, top=0.24, flat=0.9, brim=((0, 0.4), (180, 0.4)), slope=1.1, band=0.92
    ),
    "beret": HatStyle(((0, 7.95), (70, 7.75), (180, 7.5)), room=0.14, top=0.26, flat=0.3, lean=0.32),
    "headband": HatStyle(((0, 7.8), (60, 7.55), (180, 7.0)), room=0.13, top=-0.3),
}


def hidden(design: Draft, style: HatStyle) -> bool:
    """Return whether a piece of hair is tied below a hat."""
    if style.top < 0:
        return False
    x, y, z = design.anchors[0] - SKULL
    rim = _at(style.rim, np.degrees(np.arctan2([x], [z])))[0]
    return bool(SKULL[1] + y > rim - 0.1)


def pressed(design: Draft, template: Template, style: HatStyle) -> Draft:
    """Return hair below a hat: what would stick out of it, above the rim, is pressed down to the inside."""
    skull, away = skull_of(template), design.vertices - SKULL
    reach = np.linalg.norm(away, axis=1)
    azimuth = np.degrees(np.arctan2(away[:, 0], away[:, 2]))
    elevation = np.degrees(np.arcsin(away[:, 1] / reach))
    rim = skull.elevation_at(azimuth, _at(style.rim, azimuth))
    room = np.full(len(reach), max(style.room - PRESSED, 0.02))
    if style.lean:
        # One side of a hat that leans lies on the skin.
        room = np.interp(elevation - rim, [0, 12], [room[0], LEAST_ROOM])
    limit = skull.distance(azimuth, elevation) + room
    lowest, highest = (0.0, HEADBAND_DEGREES) if style.top < 0 else (-10.0, 180.0)
    above = (elevation > rim + lowest) & (elevation < rim + highest)
    factor = np.where(above, np.minimum(1, limit / reach), 1)
    return replace(design, vertices=SKULL + away * factor[:, None])


@lru_cache(maxsize=32)
def hat_surface(template: Template, name: str) -> Surface:
    """Return a hat on a template."""
    style, skull = HATS[name], skull_of(template)
    crown = _crown(skull, style)
    rows = [*crown]
    azimuth = _azimuth()
    rows += [*_brim(crown[-1], style)] if any(width for _, width in style.brim) else []
    # The inside ends in the skin, so that nobody sees into the hat.
    edge = skull.elevation_at(azimuth, crown[-1][:, 1])
    rows += [skull.places(azimuth, edge + degrees, height) for degrees, height in ((1.5, 0.6 * style.room), (4, SUNK))]
    grid = np.stack(rows)
    shades = np.ones(grid.shape[:2])
    shades[CROWN_ROWS - 4 : CROWN_ROWS] *= style.band
    shades[-1] *= 0.5
    if style.ribs:
        shades *= 0.97 + 0.06 * np.cos(36 * np.radians(azimuth))[None]
    # Crown and end follow the skin below them, as the hair does; the brim follows the rim.
    anchors = grid.copy()
    anchors[CROWN_ROWS:-1] = crown[-1]
    clearances = np.full(grid.shape[:2], CLEARANCE)
    clearances[-1] = 0.0
    pieces = [
        draft(
            grid.reshape(-1, 3),
            grid_triangles(len(grid), COLUMNS, wrap=True),
            shades=shades.ravel(),
            anchors=anchors.reshape(-1, 3),
            clearance=clearances.ravel(),
        )
    ]
    if style.pompom:
        tip = crown[0].mean(axis=0) + np.array([0, 0.7 * style.pompom, 0])
        vertices, triangles = ball(tip, np.full(3, style.pompom), rows=16, columns=24)
        bumpy = 1 + 0.05 * np.sin(23 * vertices[:, 0]) * np.sin(29 * vertices[:, 1]) * np.sin(31 * vertices[:, 2])
        vertices = tip + (vertices - tip) * bumpy[:, None]
        pieces.append(draft(vertices, triangles, anchors=crown[0, 0], clearance=CLEARANCE, shades=1.1))
    return attach(template, merge(pieces))


def _azimuth() -> Numbers:
    return np.arange(COLUMNS) * (360 / COLUMNS) - 180


def _crown(skull: Skull, style: HatStyle) -> Numbers:
    """Return rows (CROWN_ROWS, COLUMNS, 3) from the top to the rim."""
    azimuth = _azimuth()
    rim = skull.elevation_at(azimuth, _at(style.rim, azimuth))
    share = np.linspace(0, 1, CROWN_ROWS)[:, None]
    if style.top < 0:
        elevation = rim[None] + HEADBAND_DEGREES * (1 - share)
        height = style.room * (0.75 + 0.25 * np.sin(np.pi * share)) * np.ones_like(elevation)
        height[0] = 0.02
        return skull.places(azimuth[None], elevation, height)
    elevation = 89.0 + share * (rim[None] - 89.0)
    height = style.top + (style.room - style.top) * share**1.2
    ribs = style.ribs * np.cos(36 * np.radians(azimuth))[None] * np.clip(3 * share, 0, 1)
    fold = 0.06 * np.clip((share - 1 + style.fold) / 0.02, 0, 1) if style.fold else 0.0
    places = skull.places(azimuth[None], elevation, height + ribs + fold)
    if style.flat:
        ceiling = places[0, :, 1].max() - 0.02
        wide = np.hypot(places[..., 0], places[..., 2] - SKULL[2])
        edge = np.interp(share, [0, 0.45, 1], [1.0, 1.0, 0.0])
        raised = np.minimum(ceiling - 0.06 * (wide / 0.7) ** 2, places[..., 1] + 0.5)
        places[..., 1] += style.flat * edge * (raised - places[..., 1])
    lean = style.lean * np.sin(np.pi * np.clip(share * 0.9 + 0.1, 0, 1)) * np.clip(1.3 - share, 0, 1)
    places[..., 0] += lean
    places[..., 1] -= 0.35 * np.abs(lean) * (places[..., 0] > 0)
    return places


def _brim(rim: Numbers, style: HatStyle) -> Numbers:
    """Return rows (2 * BRIM_ROWS, COLUMNS, 3): the upper side outwards, and the lower side back."""
    azimuth = _azimuth()
    out = np.stack([np.sin(np.radians(azimuth)), np.zeros(COLUMNS), np.cos(np.radians(azimuth))], axis=-1)
    share = np.linspace(1 / BRIM_ROWS, 1, BRIM_ROWS)[:, None]
    width = share * _at(style.brim, azimuth)[None]
    upper = rim[None] + width[..., None] * out[None]
    upper[..., 1] -= style.slope * width * (0.6 + 0.4 * share)
    lower = upper[::-1] - np.array([0, 0.025, 0])
    return np.concatenate([upper, lower])


def _at(nodes: Nodes, azimuth: Numbers) -> Numbers:
    found: Numbers = np.interp(np.abs(azimuth), [angle for angle, _ in nodes], [value for _, value in nodes])
    return found


def _build(name: str, head: ShapedHead, vector: AvatarVector) -> tuple[Part, ...]:
    colour = vector.colour("clothes")
    return (part_of("hat", head, hat_surface(head.template, name), colour, material=MATERIAL, still=True),)


def _builder(name: str) -> Callable[[ShapedHead, AvatarVector], tuple[Part, ...]]:
    return partial(_build, name)


HAT_STYLES = (Asset("hat", "none", nothing), *(Asset("hat", name, _builder(name)) for name in HATS))
