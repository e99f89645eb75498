"""Fragments: what of a scene is visible in each pixel, one fragment per triangle, with its attributes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Floats, Indices
from facepipe.models.compiled import EXACT, Function, compiled

Doubles = NDArray[np.float64]
Vector = tuple[float, float, float]
# Division does not check for zero; it rounds as ever.
_DIVIDING = {**EXACT, "error_model": "numpy"}


class Surroundings(NamedTuple):
    """A scene as seen by a camera."""

    points: Doubles
    """(N, 3) camera coordinates."""
    triangles: Indices
    normals: Floats
    """(N, 3) in camera axes."""
    colours: Floats
    """(N, 3) linear RGB."""
    texture_coordinates: Floats
    part: NDArray[np.uint8]
    """(M,), index of the part of each triangle."""
    numbers: NDArray[np.uint8]
    """(P,), number of each part in pictures of parts."""
    texels: Floats
    """(K, 3) by `texture_levels`."""
    levels: NDArray[np.int64]
    """(P, L, 3) by `texture_levels`."""
    lens: Vector
    """Focal length and x and y of the centre, in pixels."""
    depths: Floats
    """(h, w), depth of the cells of the grid of openness."""
    openness: Floats
    """(h, w)."""
    cell: int
    """Side of a cell in pixels."""
    sharpness: float
    """Inverse of the difference in depth, in decimetres, from which on cells do not count."""


class Fragments(NamedTuple):
    """Attributes of up to F fragments."""

    pixel: Indices
    """(F,), row * W + column."""
    samples: Floats
    """(F,), fraction of the pixel's samples that it covers, times what nearer fragments let through there."""
    part: NDArray[np.uint8]
    """(F,), index of the part."""
    albedo: Floats
    """(3, F), linear RGB."""
    normal: Floats
    """(3, F), unit vectors in camera axes that do not turn away from the camera."""
    away: Floats
    """(3, F), unit vectors to the camera."""
    open_part: Floats
    """(F,), fraction of the surroundings that it sees."""


def empty_fragments(count: int) -> Fragments:
    """Return space for `count` fragments."""
    rows = [np.empty((3, count), np.float32) for _ in range(3)]
    return Fragments(
        np.empty(count, np.int32), np.empty(count, np.float32), np.empty(count, np.uint8), *rows, np.empty(count, np.float32)
    )


class Maps(NamedTuple):
    """Pictures of the surfaces, as in `facepipe.avatar.picture.Picture`."""

    parts: NDArray[np.uint8]
    depth: Floats
    normals: Floats


def compiled_loop(function: Function) -> Function:
    """Compile a function whose divisors are not zero."""
    return compiled(function, _DIVIDING)


def inlined(function: Function) -> Function:
    """Compile a function into its callers: arrays that are passed on would be counted, which threads wait for."""
    return compiled(function, {**_DIVIDING, "inline": "always"})


@compiled_loop
def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled_loop
def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@compiled_loop
def _unit(a: Vector) -> Vector:
    scale = 1.0 / max(np.sqrt(_dot(a, a)), 1e-20)
    return a[0] * scale, a[1] * scale, a[2] * scale


@compiled_loop
def _weighted(a: Vector, b: Vector, c: Vector, weights: Vector) -> Vector:
    u, v, w = weights
    return u * a[0] + v * b[0] + w * c[0], u * a[1] + v * b[1] + w * c[1], u * a[2] + v * b[2] + w * c[2]


@inlined
def _row(array: NDArray[np.floating], index: int) -> Vector:
    return float(array[index, 0]), float(array[index, 1]), float(array[index, 2])


@inlined
def _mix(array: NDArray[np.floating], corners: tuple[int, int, int], weights: Vector) -> Vector:
    """Return the attribute of a point of a triangle."""
    return _weighted(_row(array, corners[0]), _row(array, corners[1]), _row(array, corners[2]), weights)


@compiled_loop
def weights_at(a: Vector, b: Vector, c: Vector, ray: Vector) -> tuple[Vector, bool]:
    """Return the barycentric coordinates where a ray from the camera meets a triangle, and whether it meets the front.

    They are perspective-correct. Outside of the triangle, as at pixels that it covers in part, the nearest corner or
    edge counts.
    """
    u, v, w = _dot(ray, _cross(b, c)), _dot(ray, _cross(c, a)), _dot(ray, _cross(a, b))
    front = u + v + w < 0
    if front:
        u, v, w = -u, -v, -w
    u, v, w = max(u, 0.0), max(v, 0.0), max(w, 0.0)
    total = u + v + w
    if total <= 0:
        return (1 / 3, 1 / 3, 1 / 3), front
    scale = 1.0 / total
    return (u * scale, v * scale, w * scale), front


@inlined
def _open_at(scene: Surroundings, column: float, row: float, depth: float) -> float:
    """Return the openness at a point of the picture, interpolated between the cells of like depth."""
    middle = scene.cell // 2 + 0.5
    x, y = (column - middle) / scene.cell, (row - middle) / scene.cell
    left, top = int(np.floor(x)), int(np.floor(y))
    total, weights = 0.0, 0.0
    for i in range(max(0, top), min(scene.depths.shape[0], top + 2)):
        for j in range(max(0, left), min(scene.depths.shape[1], left + 2)):
            alike = max(1.0 - abs(scene.depths[i, j] - depth) * scene.sharpness, 0.01)
            weight = (1.01 - abs(x - j)) * (1.01 - abs(y - i)) * alike
            total += weight * scene.openness[i, j]
            weights += weight
    return total / weights if weights > 0 else 1.0


@compiled_loop
def texel(texels: Floats, levels: NDArray[np.int64], u: float, v: float, texels_per_pixel: float) -> Vector:
    """Return linear RGB of a texture, interpolated.

    Args:
        texels: (K, 3) by `texture_levels`.
        levels: (L, 3), the levels of one texture.
        u: To the right, in [0, 1].
        v: Up, in [0, 1].
        texels_per_pixel: Area of a pixel of the picture in texels of the first level; chooses the level.
    """
    level = 0
    while texels_per_pixel > 2.0 and level + 1 < levels.shape[0] and levels[level + 1, 1] > 0:
        texels_per_pixel, level = texels_per_pixel / 4.0, level + 1
    start, height, width = levels[level, 0], levels[level, 1], levels[level, 2]
    x, y = min(max(u, 0.0), 1.0) * width - 0.5, (1.0 - min(max(v, 0.0), 1.0)) * height - 0.5
    left, top = int(np.floor(x)), int(np.floor(y))
    red, green, blue = 0.0, 0.0, 0.0
    for row in range(top, top + 2):
        for column in range(left, left + 2):
            weight = (1.0 - abs(x - column)) * (1.0 - abs(y - row))
            k = start + min(max(row, 0), height - 1) * width + min(max(column, 0), width - 1)
            red, green, blue = red + weight * texels[k, 0], green + weight * texels[k, 1], blue + weight * texels[k, 2]
    return red, green, blue


@compiled_loop
def _texture(scene: Surroundings, t: int, weights: Vector, depth: float) -> Vector:
    """Return the linear RGB of a point of a triangle of a part with a texture."""
    levels, place = scene.levels[scene.part[t]], scene.texture_coordinates
    a, b, c = scene.triangles[t, 0], scene.triangles[t, 1], scene.triangles[t, 2]
    ub, vb = place[b, 0] - place[a, 0], place[b, 1] - place[a, 1]
    uc, vc = place[c, 0] - place[a, 0], place[c, 1] - place[a, 1]
    u = place[a, 0] + weights[1] * ub + weights[2] * uc
    v = place[a, 1] + weights[1] * vb + weights[2] * vc
    p, q, r = _row(scene.points, a), _row(scene.points, b), _row(scene.points, c)
    across = _cross((q[0] - p[0], q[1] - p[1], q[2] - p[2]), (r[0] - p[0], r[1] - p[1], r[2] - p[2]))
    pixels = np.sqrt(_dot(across, across)) * (scene.lens[0] / depth) ** 2
    texels = abs(ub * vc - uc * vb) * levels[0, 1] * levels[0, 2]
    return texel(scene.texels, levels, u, v, texels / max(pixels, 1e-12))


@inlined
def _collect_one(scene: Surroundings, t: int, x: float, y: float, f: int, out: Fragments) -> float:
    """Write the attributes where the point x, y of a picture meets a triangle; return the depth."""
    focal, centre_x, centre_y = scene.lens
    ray = ((x - centre_x) / focal, (centre_y - y) / focal, -1.0)
    a, b, c = scene.triangles[t, 0], scene.triangles[t, 1], scene.triangles[t, 2]
    weights, front = weights_at(_row(scene.points, a), _row(scene.points, b), _row(scene.points, c), ray)
    normal = _unit(_mix(scene.normals, (a, b, c), weights))
    if not front:
        normal = (-normal[0], -normal[1], -normal[2])
    away = _unit((-ray[0], -ray[1], 1.0))
    turned = _dot(normal, away)
    if turned < 0:  # Interpolated normals turn away earlier than the surface.
        normal = _unit((normal[0] - turned * away[0], normal[1] - turned * away[1], normal[2] - turned * away[2]))
    depth = -_mix(scene.points, (a, b, c), weights)[2]
    out.part[f] = scene.part[t]
    out.open_part[f] = _open_at(scene, x, y, depth)
    albedo = _mix(scene.colours, (a, b, c), weights)
    if scene.levels[scene.part[t], 0, 1] > 0:
        albedo = _texture(scene, t, weights, depth)
    for axis in range(3):
        out.albedo[axis, f], out.normal[axis, f], out.away[axis, f] = albedo[axis], normal[axis], away[axis]
    return depth


@inlined
def _main_part(scene: Surroundings, owner: Indices, row: int, column: int) -> int:
    """Return the number of the part that covers most samples of a pixel; of two, that of the earlier sample."""
    best, most = 0, 0
    for s in range(owner.shape[2]):
        t = owner[row, column, s]
        number, count = (scene.numbers[scene.part[t]] if t >= 0 else 0), 0
        for r in range(owner.shape[2]):
            other = owner[row, column, r]
            count += number == (scene.numbers[scene.part[other]] if other >= 0 else 0)
        if count > most:
            best, most = number, count
    return best


@compiled_loop
def collect(
    scene: Surroundings,
    owner: Indices,
    offsets: Doubles,
    opacity: Doubles,
    rows: tuple[int, int],
    through: Floats,
    maps: Maps,
    out: Fragments,
) -> int:
    """Collect the fragments of some rows, and return their number.

    Args:
        scene: The scene.
        owner: (H, W, S), triangles at the samples.
        offsets: (S, 2), x and y of the samples in their pixel.
        opacity: (P,), of parts.
        rows: First row and end of the rows.
        through: (H, W, S), light that nearer surfaces let through, updated in place; or empty if there are none.
        maps: Pictures to be written, or empty arrays.
        out: Space for the fragments.
    """
    samples, width, f = offsets.shape[0], owner.shape[1], 0
    for row in range(rows[0], rows[1]):
        for column in range(width):
            covered = False
            for s in range(samples):
                covered |= owner[row, column, s] >= 0
            if not covered:
                continue
            main = _main_part(scene, owner, row, column) if maps.parts.size else 0
            depths, weight, nx, ny, nz = 0.0, 0.0, 0.0, 0.0, 0.0
            for s in range(samples):
                t, earlier = owner[row, column, s], False
                for r in range(s):
                    earlier |= owner[row, column, r] == t
                if t < 0 or earlier:
                    continue
                x, y, count, passed = 0.0, 0.0, 0.0, 0.0
                for r in range(s, samples):
                    if owner[row, column, r] == t:
                        x, y, count = x + offsets[r, 0], y + offsets[r, 1], count + 1.0
                        if through.size:
                            passed += through[row, column, r]
                            through[row, column, r] *= 1.0 - opacity[scene.part[t]]
                depth = _collect_one(scene, t, column + x / count, row + y / count, f, out)
                out.pixel[f] = row * width + column
                out.samples[f] = (passed if through.size else count) / samples
                if main and scene.numbers[scene.part[t]] == main:
                    depths, weight = depths + count * depth, weight + count
                    nx, ny, nz = nx + count * out.normal[0, f], ny + count * out.normal[1, f], nz + count * out.normal[2, f]
                f += 1
            if main:
                maps.parts[row, column], maps.depth[row, column] = main, depths / weight
                nx, ny, nz = _unit((nx, ny, nz))
                maps.normals[row, column, 0], maps.normals[row, column, 1], maps.normals[row, column, 2] = nx, ny, nz
    return f
