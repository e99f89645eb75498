"""Surfaces of assets: grids, tubes along a path, and balls, designed on the template and placed on a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Floats, Indices, Material, Part
from facepipe.avatar.shaped_head import ShapedHead
from facepipe.avatar.template import Attachment, Template

Numbers = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Surface:
    """A mesh that is attached to the template's skin, and keeps a distance from it."""

    attachment: Attachment
    guard: Attachment
    """The places of the skin nearest to the points; their heights are the least distances to keep."""
    triangles: Indices
    shades: Floats
    """(K,), factors of the colour."""


def grid_triangles(rows: int, columns: int, *, wrap: bool) -> Indices:
    """Return the triangles of a grid, counter-clockwise where columns run to the right and rows run down.

    With `wrap`, the last column is joined to the first.
    """
    right = np.arange(columns if wrap else columns - 1)
    a = (np.arange(rows - 1)[:, None] * columns + right[None]).ravel()
    b = (np.arange(rows - 1)[:, None] * columns + (right[None] + 1) % columns).ravel()
    quads = np.stack([a, a + columns, b + columns, a, b + columns, b], axis=1)
    triangles: Indices = quads.reshape(-1, 3).astype(np.int32)
    return triangles


def tube(path: Numbers, radii: Numbers, *, sides: int = 10, flat: float = 1.0) -> tuple[Numbers, Indices]:
    """Return vertices and triangles of a closed tube along a path (P, 3), whose ends are pointed.

    Args:
        path: Places along the axis.
        radii: (P,), in decimetres.
        sides: Vertices of a cross-section.
        flat: Ratio of the radius across to the radius towards the outside of the path's bend.
    """
    ahead = np.gradient(path, axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    first = np.cross(ahead[0], (0.0, 1.0, 0.0) if abs(ahead[0][1]) < 0.9 else (1.0, 0.0, 0.0))
    across = [first / np.linalg.norm(first)]
    for step in ahead[1:]:
        turned = across[-1] - step * (across[-1] @ step)
        across.append(turned / max(float(np.linalg.norm(turned)), 1e-9))
    side = np.stack(across)
    outward = np.cross(ahead, side)
    angle = np.arange(sides) * (2 * np.pi / sides)
    ring = np.cos(angle)[None, :, None] * side[:, None] * flat + np.sin(angle)[None, :, None] * outward[:, None]
    vertices = path[:, None] + radii[:, None, None] * ring
    body = vertices.reshape(-1, 3)
    count = len(path)
    triangles = grid_triangles(count, sides, wrap=True)[:, ::-1]
    around = np.arange(sides)
    start = np.stack([np.full(sides, len(body)), (around + 1) % sides, around], axis=1)
    last = (count - 1) * sides
    end = np.stack([np.full(sides, len(body) + 1), last + around, last + (around + 1) % sides], axis=1)
    joined = np.concatenate([body, path[:1], path[-1:]])
    return joined, outside(joined, np.concatenate([triangles, start, end]).astype(np.int32))


def ring(path: Numbers, radius: float, *, sides: int = 8) -> tuple[Numbers, Indices]:
    """Return vertices and triangles of a tube along a closed path (P, 3) that lies roughly in a plane."""
    ahead = np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    away = path - path.mean(axis=0)
    normal = np.cross(away[0], away[len(path) // 4])
    normal = normal / np.linalg.norm(normal)
    across = np.cross(ahead, normal)
    angle = np.arange(sides) * (2 * np.pi / sides)
    around = np.cos(angle)[None, :, None] * across[:, None] + np.sin(angle)[None, :, None] * normal
    vertices = (path[:, None] + radius * around).reshape(-1, 3)
    closed = np.concatenate([np.arange(len(path)), [0]])[:, None] * sides + np.arange(sides)[None]
    a, b = closed[:-1], closed[1:]
    c, d = np.roll(a, -1, axis=1), np.roll(b, -1, axis=1)
    quads = np.stack([a, b, d, a, d, c], axis=-1).reshape(-1, 3).astype(np.int32)
    return vertices, outside(vertices, quads)


def ball(centre: Numbers, radii: Numbers, *, rows: int = 10, columns: int = 16) -> tuple[Numbers, Indices]:
    """Return vertices and triangles of an ellipsoid with radii (3,)."""
    polar = np.linspace(0.02, np.pi - 0.02, rows)[:, None]
    around = np.arange(columns)[None] * (2 * np.pi / columns)
    unit = np.stack(
        np.broadcast_arrays(np.sin(polar) * np.sin(around), np.cos(polar), np.sin(polar) * np.cos(around)), axis=-1
    ).reshape(-1, 3)
    return centre + unit * radii, outside(unit, grid_triangles(rows, columns, wrap=True))


def outside(vertices: Numbers, triangles: Indices) -> Indices:
    """Return the triangles of a closed surface, counter-clockwise seen from outside."""
    a, b, c = (vertices[triangles[:, corner]] - vertices.mean(axis=0) for corner in range(3))
    volume = np.einsum("kx,kx->", a, np.cross(b, c))
    return triangles if volume > 0 else np.ascontiguousarray(triangles[:, ::-1])


def join(*surfaces: tuple[Numbers, Indices]) -> tuple[Numbers, Indices]:
    """Return several surfaces as one."""
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in surfaces)])
    vertices = np.concatenate([vertices for vertices, _ in surfaces])
    triangles = [part + start for (_, part), start in zip(surfaces, starts, strict=False)]
    return vertices, np.concatenate(triangles).astype(np.int32)


@dataclass(frozen=True, eq=False)
class Draft:
    """A mesh that is designed on the template, and not attached yet."""

    vertices: Numbers
    """(K, 3), places on the template."""
    triangles: Indices
    anchors: Numbers
    """(K, 3), places whose nearest skin the vertices follow: hair that hangs beside the neck follows the scalp."""
    shades: Numbers
    """(K,), factors of the colour."""
    clearances: Numbers
    """(K,), least distances from the skin, decimetres."""


def draft(
    vertices: Numbers,
    triangles: Indices,
    *,
    anchors: Numbers | None = None,
    shades: Numbers | float = 1.0,
    clearance: Numbers | float = 0.01,
) -> Draft:
    """Return a draft. Shades and clearances are one for each vertex or one for all; vertices are their own anchors."""
    count = (len(vertices),)
    held = vertices if anchors is None else np.broadcast_to(anchors, vertices.shape)
    return Draft(vertices, triangles, held, np.broadcast_to(shades, count), np.broadcast_to(clearance, count))


def merge(drafts: Sequence[Draft]) -> Draft:
    """Return several drafts as one."""
    vertices, triangles = join(*((one.vertices, one.triangles) for one in drafts))
    rest = (np.concatenate([getattr(one, name) for one in drafts]) for name in ("anchors", "shades", "clearances"))
    return Draft(vertices, triangles, *rest)


def attach(template: Template, design: Draft) -> Surface:
    """Attach a draft to the skin of its template."""
    guard, attachment = template.attach(design.vertices), template.attach(design.anchors)
    drifts = attachment.drifts + (design.vertices - design.anchors).astype(np.float32)
    return Surface(
        Attachment(attachment.corners, attachment.weights, attachment.heights, drifts),
        Attachment(guard.corners, guard.weights, design.clearances.astype(np.float32), np.zeros_like(guard.drifts)),
        design.triangles,
        design.shades.astype(np.float32),
    )


def grown(surface: Surface, volume: float, length: float = 1.0) -> Surface:
    """Return a surface that stands `volume` times as high above the skin, and hangs down `length` times as far."""
    attachment = surface.attachment
    above = np.maximum(attachment.heights - surface.guard.heights, 0)
    heights = attachment.heights + np.float32(volume - 1) * above
    drifts = attachment.drifts.copy()
    drifts[:, 1] += np.float32(length - 1) * np.minimum(drifts[:, 1], 0)
    return replace(surface, attachment=replace(attachment, heights=heights, drifts=drifts))


def factor(value: float, low: float, high: float) -> float:
    """Return the factor at the value of a slider: `low` at 0, 1 at 0.5, `high` at 1."""
    return float(np.interp(value, (0, 0.5, 1), (low, 1, high)))


def place(head: ShapedHead, surface: Surface) -> Floats:
    """Return the vertices of a surface on a head, moved out of its skin where they would be too near."""
    places = head.place(surface.attachment)
    nearest = head.place(surface.guard)
    normals = nearest - head.place(_on_skin(surface.guard))
    length = np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    below = -np.einsum("kx,kx->k", places - nearest, normals / length)
    moved: Floats = (places + np.maximum(below, 0)[:, None] * normals / length).astype(np.float32)
    return moved


def _on_skin(guard: Attachment) -> Attachment:
    return Attachment(guard.corners, guard.weights, np.zeros_like(guard.heights), guard.drifts)


def part_of(
    name: str,
    head: ShapedHead,
    surface: Surface,
    colour: Floats,
    *,
    material: Material = Material(),  # noqa: B008
    still: bool = False,
) -> Part:
    """Return a surface on a head as a part of one colour (3,) or of colours (K, 3).

    With `still`, it follows the head but no face unit.
    """
    colours = np.clip(np.broadcast_to(colour, (len(surface.shades), 3)) * surface.shades[:, None], 0, 1)
    return Part(
        name,
        place(head, surface),
        surface.triangles,
        colours.astype(np.float32),
        material=material,
        morphs={} if still else head.morphs(surface.attachment),
    )
