"""Beards: shells over the lower face, as thick as a smooth mask says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.assets.asset import Asset, nothing
from facepipe.avatar.assets.surface import Surface, factor, grown, part_of
from facepipe.avatar.mesh import Floats, Indices, Material, Part
from facepipe.avatar.shaped_head import ShapedHead
from facepipe.avatar.template import Attachment, Template

if TYPE_CHECKING:
    from facepipe.avatar.vector import AvatarVector

Numbers = NDArray[np.floating[Any]]
Points = tuple[Indices, Floats]
"""Points of the skin: corners (K, 3) of triangles, and barycentric weights (K, 3)."""
MATERIAL = Material(roughness=0.95)
EDGE = 0.006
"""Decimetres by which a beard lies deeper than its thickness says, so that its edge is where it enters the skin."""
BARE = ("lips", "mouth-cavity", "nose", "socket-left", "socket-right", "ear-left", "ear-right")


@dataclass(frozen=True)
class BeardStyle:
    """Thickness of a beard, in decimetres, in places of the face."""

    jaw: float = 0.0
    chin: float = 0.0
    moustache: float = 0.0
    sideburns: float = 0.0
    """How far up to the ear the beard of the jaw goes: 0 to 1."""
    drop: float = 0.0
    """How far the ends hang below the chin, decimetres."""
    handle: float = 0.0
    """Upward curl of the ends of the moustache, decimetres."""
    wide: float = 1.0
    """Width of the moustache, as a multiple of the mouth's."""
    soul: float = 0.0
    """Tuft below the lower lip, decimetres."""


STYLES = {
    "stubble": BeardStyle(jaw=0.012, chin=0.013, moustache=0.012, sideburns=0.8, soul=0.012),
    "short": BeardStyle(jaw=0.05, chin=0.065, moustache=0.045, sideburns=1.0, soul=0.04),
    "full": BeardStyle(jaw=0.1, chin=0.16, moustache=0.07, sideburns=1.0, drop=0.12, soul=0.08),
    "long": BeardStyle(jaw=0.12, chin=0.2, moustache=0.08, sideburns=1.0, drop=0.6, soul=0.1),
    "moustache": BeardStyle(moustache=0.07, wide=1.05),
    "handlebar": BeardStyle(moustache=0.075, wide=1.35, handle=0.12),
    "goatee": BeardStyle(chin=0.1, drop=0.12, soul=0.04),
    "van-dyke": BeardStyle(chin=0.11, drop=0.2, moustache=0.055, wide=1.15, handle=0.04, soul=0.05),
    "chin-strap": BeardStyle(jaw=0.05, chin=0.05, sideburns=1.0),
    "mutton-chops": BeardStyle(jaw=0.11, moustache=0.06, sideburns=1.0),
}


@lru_cache(maxsize=32)
def beard_surface(template: Template, name: str) -> Surface:
    """Return a beard on a template: the triangles of the skin under it, divided, at its thickness."""
    style = STYLES[name]
    points, triangles = _corners_of(template, _thickness(style, template.vertices, _bare(template)) > 0)
    for _ in range(1 if style.jaw else 2):
        points, triangles = _divided(points, triangles)
    places = _of(template.vertices, points)
    heights = _thickness(style, places, _of(_bare(template), points)).astype(np.float32)
    drifts = _drift(style, places, heights)
    attachment = Attachment(*points, heights, drifts)
    guard = Attachment(*points, np.minimum(heights, 0.004), np.zeros_like(drifts))
    rough = np.sin(83 * places[:, 0] + 9 * places[:, 1]) * np.sin(37 * places[:, 1] + 61 * places[:, 2])
    kept = (heights[triangles] > -EDGE).any(axis=1)
    return Surface(attachment, guard, triangles[kept], (0.88 + 0.1 * rough).astype(np.float32))


def _bare(template: Template) -> Numbers:
    """Return 1 for vertices (N,) where no beard grows, and 0 for others."""
    bare = np.zeros(len(template.vertices))
    for region in BARE:
        bare[template.regions[region]] = 1
    return bare


def _thickness(style: BeardStyle, places: Numbers | Floats, bare: Numbers) -> Numbers:
    """Return the thickness (K,) over places (K, 3) of the skin, decimetres; negative where there is no beard."""
    x, y, z = np.asarray(places, np.float64).T
    across = np.abs(x)
    fields = [_jaw(style, across, y, z), _chin(style, across, y, z), _moustache(style, across, y, z)]
    fields.append(style.soul * np.exp(-((across / 0.07) ** 2)) * _below(y, 6.54, 0.03) * _above(z, 1.0, 0.05))
    found: Numbers = np.maximum.reduce(fields) * (1 - _above(bare, 0.6, 0.6)) - EDGE * (1 + bare)
    return found


def _jaw(style: BeardStyle, across: Numbers, y: Numbers, z: Numbers) -> Numbers:
    upper = np.interp(z, [0.3, 0.45, 0.7, 0.95, 1.1, 1.2], [7.0, 6.95, 6.78, 6.66, 6.62, 6.6])
    if not style.moustache:
        upper = upper - 0.16 * _above(z, 0.5, 0.4)
    burns = style.sideburns * _below(y, 7.28, 0.05) * _above(z, 0.31, 0.04) * _below(z, 0.44, 0.1) * _above(y, 6.8, 0.1)
    cheek = _below(y, upper, 0.08) * _above(z, np.where(y > 6.8, 0.3, 0.22), 0.06)
    neck = _above(y, 6.12, 0.1) * _above(z + 0.9 * np.minimum(y - 6.42, 0), 0.3, 0.12)
    field = style.jaw * np.maximum(cheek, burns) * neck
    if not style.chin:
        field = field * _above(across, 0.2, 0.1)
    return field


def _chin(style: BeardStyle, across: Numbers, y: Numbers, z: Numbers) -> Numbers:
    return (
        style.chin * _below(across, 0.23, 0.1) * _above(z, 0.72, 0.12) * _below(y, 6.44, 0.07) * _above(y, 6.12, 0.08)
    )


def _moustache(style: BeardStyle, across: Numbers, y: Numbers, z: Numbers) -> Numbers:
    wide = 0.25 * style.wide
    bow = np.clip(across / wide, 0, 1.4)
    band = _above(y, 6.775 - 0.13 * bow**2, 0.03) * _below(y, 6.865 - 0.1 * bow**1.5, 0.035)
    return style.moustache * band * _below(across, wide, 0.06) * _above(z, 0.92, 0.08)


def _below(values: Numbers, edge: Numbers | float, soft: float) -> Numbers:
    """Return 1 below an edge, falling smoothly to 0 within `soft` above it."""
    ramp = np.clip((edge + soft - values) / soft, 0, 1)
    smooth: Numbers = ramp * ramp * (3 - 2 * ramp)
    return smooth


def _above(values: Numbers, edge: Numbers | float, soft: float) -> Numbers:
    """Return 1 above an edge, falling smoothly to 0 within `soft` below it."""
    return 1 - _below(values, edge - soft, soft)


def _drift(style: BeardStyle, places: Numbers, heights: Floats) -> Floats:
    """Return displacements (K, 3): ends that hang from the chin, curled ends of the moustache."""
    drifts = np.zeros_like(places)
    across = np.abs(places[:, 0])
    below = np.clip((6.5 - places[:, 1]) / 0.25, 0, 1) * np.clip(heights / 0.1, 0, 1)
    drifts[:, 1] -= style.drop * below * np.clip(1 - (across / 0.45) ** 2, 0, 1)
    drifts[:, 2] += 0.15 * style.drop * below
    end = np.clip((across - 0.2) / 0.12, 0, 1) * (places[:, 1] > 6.66)
    drifts[:, 1] += style.handle * end
    drifts[:, 0] += 0.5 * style.handle * end * np.sign(places[:, 0])
    return drifts.astype(np.float32)


def _corners_of(template: Template, chosen: NDArray[np.bool_]) -> tuple[Points, Indices]:
    """Return the vertices of all triangles of the skin that touch chosen ones, as points, and these triangles."""
    kept = template.triangles[chosen[template.triangles].any(axis=1)]
    corners, number = np.unique(kept, return_inverse=True)
    alone = np.tile(np.array([1, 0, 0], np.float32), (len(corners), 1))
    return (np.repeat(corners[:, None], 3, 1).astype(np.int32), alone), number.reshape(-1, 3).astype(np.int32)


def _divided(points: Points, triangles: Indices) -> tuple[Points, Indices]:
    """Divide triangles in four each."""
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    unique, back = np.unique(edges, axis=0, return_inverse=True)
    middles = [_middle(points, a, b) for a, b in unique]
    (a, b, c), (ab, bc, ca) = triangles.T, back.reshape(-1, 3).T + len(points[0])
    smaller = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    corners = np.concatenate([points[0], np.array([corner for corner, _ in middles], np.int32)])
    weights = np.concatenate([points[1], np.array([weight for _, weight in middles], np.float32)])
    return (corners, weights), smaller.astype(np.int32)


def _middle(points: Points, first: int, second: int) -> tuple[list[int], list[float]]:
    """Return corners (3) and weights (3) of the point halfway between two points of one triangle."""
    shares: dict[int, float] = {}
    for point in (first, second):
        for corner, weight in zip(points[0][point].tolist(), points[1][point].tolist(), strict=True):
            shares[corner] = shares.get(corner, 0.0) + weight / 2
    kept = [(corner, weight) for corner, weight in shares.items() if weight > 0]
    kept += [(kept[0][0], 0.0)] * (3 - len(kept))
    return [corner for corner, _ in kept], [weight for _, weight in kept]


def _of(values: Numbers | Floats, points: Points) -> Numbers:
    """Return values (N, ...) of the skin at points (K,)."""
    corners, weights = points
    return np.asarray(np.einsum("kc,kc...->k...", weights, values[corners]), np.float64)


def _build(name: str, head: ShapedHead, vector: AvatarVector) -> tuple[Part, ...]:
    colour = vector.colour("hair")
    if name == "stubble":
        colour = 0.45 * colour + 0.55 * vector.colour("skin")
    volume = factor(vector.sliders["beard_volume"], 0.6, 1.7)
    surface = grown(beard_surface(head.template, name), volume, volume)
    return (part_of("beard", head, surface, colour, material=MATERIAL),)


def _builder(name: str) -> Callable[[ShapedHead, AvatarVector], tuple[Part, ...]]:
    return partial(_build, name)


BEARDS = (Asset("beard", "none", nothing), *(Asset("beard", name, _builder(name)) for name in STYLES))
