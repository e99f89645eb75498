"""Brows: tapered strips over the ridge above the eyes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator

from facepipe.avatar.assets.asset import Asset, nothing
from facepipe.avatar.assets.surface import Draft, Surface, attach, draft, grid_triangles, merge, part_of, place
from facepipe.avatar.mesh import Material, Part
from facepipe.avatar.shaped_head import ShapedHead
from facepipe.avatar.template import Template

if TYPE_CHECKING:
    from facepipe.avatar.vector import AvatarVector

Numbers = NDArray[np.floating[Any]]
MATERIAL = Material(roughness=0.8)
COLUMNS, ROWS = 22, 5
THINNEST, THICKEST = 0.55, 1.5
"""Thickness at the ends of the slider, as a multiple of the style's."""
INNER, OUTER = 0.09, 0.56
"""Distances of the ends of a brow from the middle, decimetres."""


@dataclass(frozen=True)
class BrowStyle:
    """Shape of both brows."""

    thick: float
    """Height in the thickest place, decimetres."""
    arch: float
    """Rise of the arch over a straight line, decimetres."""
    peak: float = 0.6
    """Where along the brow it is highest, from the inner end."""
    tilt: float = 0.0
    """Rise of the outer end over the inner one, decimetres."""
    taper: float = 1.0
    """How thin the outer end gets: 0 as thick as the middle, 1 pointed."""
    start: float = 0.0
    """Displacement of the inner end outwards, decimetres; negative brows meet."""
    lift: float = 0.0
    bumps: float = 0.0
    """How ragged the edges are, decimetres."""


STYLES = {
    "soft": BrowStyle(0.075, 0.05),
    "straight": BrowStyle(0.08, 0.008, taper=0.7),
    "arched": BrowStyle(0.06, 0.11, peak=0.68, lift=-0.01),
    "thick": BrowStyle(0.13, 0.04, taper=0.6),
    "bushy": BrowStyle(0.14, 0.05, taper=0.4, bumps=0.02, start=-0.01),
    "thin": BrowStyle(0.032, 0.085),
    "angled": BrowStyle(0.085, 0.03, peak=0.75, tilt=0.08),
    "worried": BrowStyle(0.075, 0.03, peak=0.35, tilt=-0.09),
    "short": BrowStyle(0.1, 0.02, taper=0.5, start=0.06),
}


@lru_cache(maxsize=64)
def brow_surface(template: Template, name: str, thickness: float = 1.0) -> Surface:
    """Return both brows of a style on a template, `thickness` times as thick."""
    style = replace(STYLES[name], thick=thickness * STYLES[name].thick)
    return attach(template, merge([_brow(template, style, side) for side in (1, -1)]))


def _brow(template: Template, style: BrowStyle, side: int) -> Draft:
    share = np.linspace(0, 1, COLUMNS)
    x = INNER + style.start + share * (OUTER - INNER - 0.3 * max(style.start, 0))
    arch = np.where(share < style.peak, share / style.peak, (1 - share) / (1 - style.peak))
    middle = 7.5 + style.lift + style.arch * np.sin(0.5 * np.pi * arch) + style.tilt * (share - 0.5)
    profile = np.clip(share / 0.12, 0.35, 1) * (1 - style.taper * 0.92 * np.clip((share - 0.45) / 0.55, 0, 1) ** 1.3)
    ragged = style.bumps * np.sin(40 * share) * np.sin(3 + 17 * share)
    half = style.thick / 2 * profile + ragged
    rows = np.linspace(1, -1, ROWS)[:, None]
    y = middle[None] + rows * half[None]
    front = np.stack([np.broadcast_to(side * x, y.shape), y, _ridge(template, side * x, y)], axis=-1)
    # The strip is highest along its middle and dives into the skin at its edges.
    height = np.where(np.abs(rows) > 0.9, -0.004, 0.028 * (1 - 0.45 * rows**2)) * np.ones_like(y)
    height[:, [0, -1]] = -0.004
    surface = template.attach(front.reshape(-1, 3), normal=False)
    on_skin = np.einsum("kc,kcx->kx", surface.weights, template.vertices[surface.corners])
    normals = np.einsum("kc,kcx->kx", surface.weights, template.normals[surface.corners])
    points = on_skin + height.reshape(-1, 1) * normals / np.linalg.norm(normals, axis=1, keepdims=True)
    triangles = grid_triangles(ROWS, COLUMNS, wrap=False)
    triangles = triangles if side > 0 else np.ascontiguousarray(triangles[:, ::-1])
    shades = 0.92 + 0.12 * np.sin(70 * share)[None] * np.ones_like(y)
    return draft(points, triangles, shades=shades.ravel(), clearance=np.minimum(height, 0.012).ravel())


def _ridge(template: Template, x: Numbers, y: Numbers) -> Numbers:
    """Return z (R, C) of the skin in front of (x, y)."""
    names = ("brow-left", "brow-right", "forehead", "lid-left", "lid-right", "face")
    front = np.unique(np.concatenate([template.regions[name] for name in names]))
    points = template.vertices[front[template.normals[front, 2] > 0.05]].astype(np.float64)
    near = points[(points[:, 1] > 7.3) & (points[:, 1] < 7.95)]
    found: Numbers = LinearNDInterpolator(near[:, :2], near[:, 2])(np.broadcast_to(x, y.shape), y)
    return found


def _build(name: str, head: ShapedHead, vector: AvatarVector) -> tuple[Part, ...]:
    colour = vector.colour("hair") * 0.8
    part = part_of("brows", head, brow_surface(head.template, name), colour, material=MATERIAL)
    share = 2 * vector.sliders["brow_thickness"] - 1
    if share == 0:
        return (part,)
    # A mixture with the thinnest or the thickest one, which are attached once.
    extreme = place(head, brow_surface(head.template, name, THICKEST if share > 0 else THINNEST))
    return (replace(part, vertices=part.vertices + np.float32(abs(share)) * (extreme - part.vertices)),)


def _builder(name: str) -> Callable[[ShapedHead, AvatarVector], tuple[Part, ...]]:
    return partial(_build, name)


BROWS = (*(Asset("brows", name, _builder(name)) for name in STYLES), Asset("brows", "none", nothing))
