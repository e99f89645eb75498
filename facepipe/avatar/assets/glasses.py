"""Glasses: rims, bridge and temples, fitted to eyes, nose and ears of each head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.assets.asset import Asset, nothing
from facepipe.avatar.assets.surface import factor, join, ring, tube
from facepipe.avatar.mesh import Indices, Material, Part
from facepipe.avatar.shaped_head import ShapedHead
from facepipe.avatar.template import Template

if TYPE_CHECKING:
    from facepipe.avatar.vector import AvatarVector

Numbers = NDArray[np.floating[Any]]
Mesh = tuple[Numbers, Indices]
OUTLINE_POINTS = 40
GLASSES_DROP = 0.14
"""How far the sliders move the lenses down and up, in multiples of half the distance between the eyes."""
CLEARANCE = 0.035
"""Least distance from the skin, decimetres."""
NEAR = 0.07
"""Skin within this distance across the line of sight is kept clear of a rim, decimetres."""
BLACK, BROWN, SILVER, GOLD = (0.09, 0.09, 0.1), (0.32, 0.19, 0.11), (0.72, 0.73, 0.76), (0.85, 0.68, 0.35)
CLEAR, DARK = (0.1, (0.85, 0.92, 0.95)), (0.86, (0.1, 0.1, 0.12))
"""Opacity and colour of lenses."""


@dataclass(frozen=True)
class GlassesStyle:
    """Shape of glasses; lengths are multiples of half the distance between the eyes."""

    width: float = 0.72
    height: float = 0.58
    power: float = 2.0
    """Exponent of the outline: 2 an ellipse, larger ones closer to a rectangle."""
    drop: float = 0.0
    """How far the outline sags at the inner or outer lower corner: a teardrop."""
    lift: float = 0.0
    """How far the upper outer corner rises."""
    lower: float = 0.06
    """How far the middles lie below the eyes."""
    rim: float = 0.024
    """Radius of the rims, decimetres."""
    colour: tuple[float, float, float] = BLACK
    lens: tuple[float, tuple[float, float, float]] = CLEAR
    top_only: bool = False
    """Whether rims are thick above and thin below."""


STYLES = {
    "round": GlassesStyle(0.62, 0.62, colour=GOLD, rim=0.016),
    "oval": GlassesStyle(0.7, 0.5, colour=BROWN, rim=0.022),
    "square": GlassesStyle(0.7, 0.56, power=4.0, rim=0.03),
    "rectangle": GlassesStyle(0.72, 0.4, power=5.0, rim=0.024, colour=(0.15, 0.2, 0.34)),
    "aviator": GlassesStyle(0.74, 0.64, power=2.4, drop=0.16, colour=GOLD, rim=0.014, lens=DARK),
    "cat-eye": GlassesStyle(0.7, 0.5, power=2.6, lift=0.26, colour=(0.42, 0.08, 0.14), rim=0.03),
    "oversized": GlassesStyle(0.84, 0.78, power=2.8, colour=BROWN, rim=0.034),
    "browline": GlassesStyle(0.7, 0.54, power=3.0, rim=0.03, top_only=True),
    "rimless": GlassesStyle(0.7, 0.5, power=3.0, rim=0.006, colour=SILVER, lens=(0.16, (0.8, 0.88, 0.92))),
    "sunglasses": GlassesStyle(0.78, 0.6, power=3.4, lens=DARK, rim=0.03),
    "half-moon": GlassesStyle(0.62, 0.3, power=2.6, lower=0.3, colour=SILVER, rim=0.014),
}


def _outline(style: GlassesStyle, half: float, side: int) -> Numbers:
    """Return the outline (OUTLINE_POINTS, 2) of a lens about its middle, decimetres."""
    angle = np.linspace(0, 2 * np.pi, OUTLINE_POINTS, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    x = np.sign(c) * np.abs(c) ** (2 / style.power)
    y = np.sign(s) * np.abs(s) ** (2 / style.power)
    out = x * side
    y = y - style.drop * np.clip(-s, 0, 1) * (0.6 - 0.4 * out) + style.lift * np.clip(s, 0, 1) * np.clip(out, 0, 1)
    return half * np.stack([style.width * x, style.height * y], axis=1)


def glasses(head: ShapedHead, style: GlassesStyle) -> tuple[Mesh, Mesh]:
    """Return the frame and the lenses on a head."""
    left, right = (head.point(name).astype(np.float64) for name in ("eye-left", "eye-right"))
    half = abs(float(left[0] - right[0])) / 2
    flat = [(_outline(style, half, side), side) for side in (1, -1)]
    middles = [eye - np.array([0, style.lower * half, 0]) for eye in (left, right)]
    rims = [_bent(middle, outline, half) for middle, (outline, _) in zip(middles, flat, strict=True)]
    forward = max(_forward(head, rim) for rim in rims)
    rims = [rim + np.array([0, 0, forward]) for rim in rims]
    frame = [_rim(rim, style) for rim in rims]
    frame.append(_bridge(rims, style))
    frame += [_temple(head, rim, side, style) for rim, side in zip(rims, (1, -1), strict=True)]
    lenses = [_lens(rim) for rim in rims]
    return join(*frame), join(*lenses)


def _bent(middle: Numbers, outline: Numbers, half: float) -> Numbers:
    """Return an outline (P, 3) on a cylinder that bends around the face."""
    x = middle[0] + outline[:, 0]
    return np.stack([x, middle[1] + outline[:, 1], np.full(len(x), middle[2]) - 0.1 * (x / half) ** 2 * half], axis=1)


def _forward(head: ShapedHead, rim: Numbers) -> float:
    """Return how far a rim must move to the front to be clear of the skin, lids and lashes included."""
    skin = head.vertices[_front(head.template)]
    across = np.linalg.norm(rim[:, None, :2] - skin[None, :, :2], axis=2)
    gaps = np.where(across < NEAR, skin[None, :, 2] - rim[:, None, 2], -np.inf)
    inside = rim[:, :2].mean(axis=0)
    eye = skin[np.linalg.norm(skin[:, :2] - inside, axis=1) < 0.8 * np.ptp(rim[:, 1]) / 2]
    bulge = (eye[:, 2].max() - rim[:, 2].max()) if len(eye) else -np.inf
    return float(max(gaps.max(), bulge + 0.03)) + CLEARANCE


@lru_cache(maxsize=2)
def _front(template: Template) -> NDArray[np.intp]:
    """Return the vertices of the front of the face."""
    return np.unique(np.concatenate([template.regions[name] for name in FRONT]))


FRONT = ("face", "lid-left", "lid-right", "nose", "brow-left", "brow-right", "cheek-left", "cheek-right")


def _rim(rim: Numbers, style: GlassesStyle) -> Mesh:
    body = ring(rim, style.rim if not style.top_only else 0.010)
    if not style.top_only:
        return body
    top = rim[rim[:, 1] > rim[:, 1].mean() + 0.1 * np.ptp(rim[:, 1])]
    top = top[np.argsort(top[:, 0])]
    return join(body, tube(top, np.full(len(top), style.rim * 1.3), sides=8))


def _bridge(rims: list[Numbers], style: GlassesStyle) -> Mesh:
    """Return the arc between both rims, a little above their middles."""
    ends = []
    for rim, inner in zip(rims, (np.argmin, np.argmax), strict=True):
        above = rim[rim[:, 1] > rim[:, 1].mean() + 0.12 * np.ptp(rim[:, 1])]
        ends.append(above[inner(above[:, 0])])
    share = np.linspace(0, 1, 10)[:, None]
    path = ends[0] + share * (ends[1] - ends[0])
    path = path + np.sin(np.pi * share) * np.array([0, 0.05, 0.04])
    return tube(path, np.full(10, max(style.rim, 0.012)), sides=8)


def _temple(head: ShapedHead, rim: Numbers, side: int, style: GlassesStyle) -> Mesh:
    """Return the arm from the outer end of a rim to the ear, whose end bends down behind it."""
    ear = "left" if side > 0 else "right"
    above = rim[rim[:, 1] > rim[:, 1].mean()]
    start = above[np.argmax(side * above[:, 0])]
    top, front = (head.point(f"{name}-{ear}").astype(np.float64) for name in ("ear-top", "ear-front"))
    out = max(side * float(front[0]), side * float(start[0])) + 0.05
    hinge = np.array([side * (0.5 * abs(float(start[0])) + 0.5 * out), start[1], start[2] - 0.12])
    over = np.array([side * out, front[1] + 0.06, front[2]])
    rest = np.array([side * (abs(float(top[0])) + 0.03), top[1] + 0.02, top[2] - 0.02])
    end = np.array([side * (abs(float(top[0])) - 0.02), top[1] - 0.18, top[2] - 0.22])
    path = np.concatenate(
        [[a + t * (b - a) for t in np.linspace(0, 1, 5)[:-1]] for a, b in _pairs(start, hinge, over, rest, end)]
    )
    path = np.concatenate([path, [end]])
    return tube(path, np.full(len(path), max(style.rim * 0.8, 0.014)), sides=6)


def _pairs(*places: Numbers) -> list[tuple[Numbers, Numbers]]:
    return list(pairwise(places))


def _lens(rim: Numbers) -> Mesh:
    """Return a slightly bulging pane within a rim."""
    middle = rim.mean(axis=0)
    rings = [middle + (rim - middle) * share + np.array([0, 0, 0.03 * (1 - share**2)]) for share in (0.98, 0.66, 0.33)]
    vertices = np.concatenate([*rings, [middle + np.array([0, 0, 0.03])]])
    count = len(rim)
    following = (np.arange(count) + 1) % count
    triangles = []
    for row in range(2):
        a, b = row * count + np.arange(count), row * count + following
        triangles += [np.stack([a, b, b + count], 1), np.stack([a, b + count, a + count], 1)]
    last = 2 * count + np.arange(count)
    triangles.append(np.stack([last, 2 * count + following, np.full(count, 3 * count)], 1))
    joined = np.concatenate(triangles).astype(np.int32)
    normal = np.cross(*(vertices[joined[0, corner]] - vertices[joined[0, 0]] for corner in (1, 2)))
    return vertices, joined if normal[2] > 0 else np.ascontiguousarray(joined[:, ::-1])


def _build(name: str, head: ShapedHead, vector: AvatarVector) -> tuple[Part, ...]:
    style = STYLES[name]
    size = factor(vector.sliders["glasses_size"], 0.85, 1.15)
    lower = style.lower + GLASSES_DROP * (1 - 2 * vector.sliders["glasses_height"])
    style = replace(style, width=size * style.width, height=size * style.height, lower=lower)
    frame, lenses = glasses(head, style)
    opacity, colour = style.lens
    return (
        _part(frame, style.colour, Material(roughness=0.3)),
        _part(lenses, colour, Material(roughness=0.1, opacity=opacity, double_sided=True)),
    )


def _part(mesh: Mesh, colour: tuple[float, float, float], material: Material) -> Part:
    vertices = mesh[0].astype(np.float32)
    return Part(
        "glasses", vertices, mesh[1], np.tile(np.array(colour, np.float32), (len(vertices), 1)), material=material
    )


def _builder(name: str) -> Callable[[ShapedHead, AvatarVector], tuple[Part, ...]]:
    return partial(_build, name)


GLASSES = (Asset("glasses", "none", nothing), *(Asset("glasses", name, _builder(name)) for name in STYLES))
