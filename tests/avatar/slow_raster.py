"""A slow, obvious rasteriser: each sample of each pixel sends a ray through all triangles. And meshes to try it on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.camera import Camera
from facepipe.avatar.mesh import PARTS, Floats, Material, Part

Doubles = NDArray[np.float64]
SAMPLE_PLACES = ((0.375, 0.125), (0.875, 0.375), (0.125, 0.625), (0.625, 0.875))
MATT = Material(roughness=1.0, double_sided=True)
CAMERA = Camera(head_height=1.0, distance_heads=5.0, field_of_view_degrees=40.0)


def part(
    vertices: object,
    triangles: object,
    colour: object = (0.5, 0.5, 0.5),
    *,
    name: str = "lashes",
    material: Material = MATT,
    coordinates: Floats | None = None,
) -> Part:
    """Return a part. Lashes neither shine nor have a rim."""
    points = np.array(vertices, np.float32).reshape(-1, 3)
    colours = np.broadcast_to(np.array(colour, np.float32), points.shape).copy()
    return Part(name, points, np.array(triangles, np.int32).reshape(-1, 3), colours, coordinates, material)


def quad(z: float, colour: object = (0.5, 0.5, 0.5), *, half: float = 5.0, **options: object) -> Part:
    """Return a square that faces the camera."""
    corners = [(-half, -half, z), (half, -half, z), (half, half, z), (-half, half, z)]
    return part(corners, [(0, 1, 2), (0, 2, 3)], colour, **options)  # type: ignore[arg-type]


def soup(seed: int, count: int = 30, *, double_sided: bool = True, depth: float = 1.5) -> list[Part]:
    """Return unconnected triangles of four parts, in all directions."""
    random = np.random.default_rng(seed)
    material = Material(roughness=1.0, double_sided=double_sided)
    return [
        part(
            random.uniform((-2, -2, -depth), (2, 2, depth), (3 * count, 3)),
            np.arange(3 * count).reshape(-1, 3),
            random.uniform(0, 1, (3 * count, 3)),
            name=name,
            material=material,
        )
        for name in ("skin", "hair", "hat", "clothes")
    ]


@dataclass(frozen=True)
class Seen:
    """What the samples of a picture see, (H, W, 4, ...)."""

    parts: NDArray[np.int64]
    depth: Doubles
    normals: Doubles
    doubtful: NDArray[np.bool_]
    """Samples nearer than 1/100 pixel to an edge, or with two surfaces at almost the same depth."""


def seen(parts: Sequence[Part], camera: Camera, height: int, width: int) -> Seen:
    """Return what each sample sees."""
    shape = (height, width, len(SAMPLE_PLACES))
    out = Seen(np.zeros(shape, int), np.full(shape, np.inf), np.zeros((*shape, 3)), np.zeros(shape, bool))
    focal = camera.focal_pixels(height, width)
    for row, column, s in np.ndindex(shape):
        x, y = column + SAMPLE_PLACES[s][0] - width / 2, height / 2 - row - SAMPLE_PLACES[s][1]
        ray = np.array((x / focal, y / focal, -1.0))
        hits = sorted((hit for each in parts for hit in _hits(each, camera, ray, focal)), key=lambda hit: hit[0])
        inside = [hit for hit in hits if hit[1] >= 0]
        out.doubtful[row, column, s] = any(abs(hit[1]) < 0.01 for hit in hits) or (
            len(inside) > 1 and inside[1][0] - inside[0][0] < 1e-4
        )
        if inside:
            out.depth[row, column, s], _, out.parts[row, column, s], out.normals[row, column, s] = inside[0]
    return out


def _hits(each: Part, camera: Camera, ray: Doubles, focal: float) -> list[tuple[float, float, int, Doubles]]:
    """Return depth, distance inside of the nearest edge in pixels, part number and normal of the triangles on a ray."""
    view = camera.view(each.vertices)
    corners = view[each.triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        depths = np.einsum("tx,tx->t", corners[:, 0], faces) / (faces @ ray)
        sides = np.cross(corners[:, [1, 2, 0]] - corners, ray * depths[:, None, None] - corners)
        areas = np.einsum("tkx,tx->tk", sides, faces) / np.einsum("tx,tx->t", faces, faces)[:, None]
        # Barycentric coordinates change by one between an edge and the opposite corner; their slope is in pixels.
        inside = (areas / _slopes(corners, faces, ray, depths, focal)).min(1)
    vertex_normals = np.zeros(view.shape)
    for axis in range(3):
        np.add.at(vertex_normals, each.triangles[:, axis], faces)
    hits = []
    for t in np.flatnonzero((depths > 1e-3 * camera.distance) & (inside > -1) & np.isfinite(inside)):
        front = faces[t] @ ray < 0
        if front or each.material.double_sided:
            normal = areas[t][[1, 2, 0]] @ vertex_normals[each.triangles[t]]
            normal = normal / np.linalg.norm(normal) * (1 if front else -1)
            hits.append((float(depths[t]), float(inside[t]), PARTS.index(each.name) + 1, normal))
    return hits


def _slopes(corners: Doubles, faces: Doubles, ray: Doubles, depths: Doubles, focal: float) -> Doubles:
    """Return how much the barycentric coordinates of the sides change per pixel, (T, 3)."""
    total = np.zeros(corners.shape[:2])
    for axis in range(2):
        moved = ray.copy()
        moved[axis] += 1e-6 / focal
        there = np.einsum("tx,tx->t", corners[:, 0], faces) / (faces @ moved)
        step = moved * there[:, None, None] - ray * depths[:, None, None]
        change = np.cross(corners[:, [1, 2, 0]] - corners, np.broadcast_to(step, corners.shape))
        total += (np.einsum("tkx,tx->tk", change, faces) / np.einsum("tx,tx->t", faces, faces)[:, None] / 1e-6) ** 2
    return np.sqrt(total)
