"""Interpolation: the attributes of triangles where the rays of pixels meet them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.fragments import Doubles, Fragments, Surroundings, Vector
from facepipe.avatar.mesh import Floats, Indices
from facepipe.models.compiled import EXACT, Function, compiled

Corners = tuple[int, int, int]
# Division does not check for zero; it rounds as ever.
_DIVIDING = {**EXACT, "error_model": "numpy"}


def compiled_loop(function: Function) -> Function:
    """Compile a function whose divisors are not zero."""
    return compiled(function, _DIVIDING)


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


@compiled_loop
def _row(array: NDArray[np.floating], index: int) -> Vector:
    return float(array[index, 0]), float(array[index, 1]), float(array[index, 2])


@compiled_loop
def _mix(array: NDArray[np.floating], corners: Corners, weights: Vector) -> Vector:
    """Return the attribute of a point of a triangle."""
    return _weighted(_row(array, corners[0]), _row(array, corners[1]), _row(array, corners[2]), weights)


@compiled_loop
def _write(array: Floats, index: int, vector: Vector) -> None:
    array[0, index], array[1, index], array[2, index] = vector[0], vector[1], vector[2]


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


@compiled_loop
def _open_at(depths: Floats, openness: Floats, sharpness: float, x: float, y: float, depth: float) -> float:
    """Return the openness at a point of the grid, interpolated between the cells of like depth."""
    left, top = int(np.floor(x)), int(np.floor(y))
    total, weights = 0.0, 0.0
    for i in range(max(0, top), min(depths.shape[0], top + 2)):
        for j in range(max(0, left), min(depths.shape[1], left + 2)):
            alike = max(1.0 - abs(depths[i, j] - depth) * sharpness, 0.01)
            weight = (1.01 - abs(x - j)) * (1.01 - abs(y - i)) * alike
            total += weight * openness[i, j]
            weights += weight
    return total / weights if weights > 0 else 1.0


@compiled_loop
def texel(texels: Floats, levels: NDArray[np.int64], p: int, u: float, v: float, texels_per_pixel: float) -> Vector:
    """Return linear RGB of a texture, interpolated.

    Args:
        texels: (K, 3) by `texture_levels`.
        levels: (P, L, 3) by `texture_levels`.
        p: Index of the part.
        u: To the right, in [0, 1].
        v: Up, in [0, 1].
        texels_per_pixel: Area of a pixel of the picture in texels of the first level; chooses the level.
    """
    level = 0
    while texels_per_pixel > 2.0 and level + 1 < levels.shape[1] and levels[p, level + 1, 1] > 0:
        texels_per_pixel, level = texels_per_pixel / 4.0, level + 1
    start, height, width = levels[p, level, 0], levels[p, level, 1], levels[p, level, 2]
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
def _place(coordinates: Floats, corners: Corners, weights: Vector) -> tuple[float, float, float]:
    """Return u and v of a point of a triangle, and the triangle's doubled area in the texture."""
    a, b, c = corners
    ub, vb = coordinates[b, 0] - coordinates[a, 0], coordinates[b, 1] - coordinates[a, 1]
    uc, vc = coordinates[c, 0] - coordinates[a, 0], coordinates[c, 1] - coordinates[a, 1]
    u = coordinates[a, 0] + weights[1] * ub + weights[2] * uc
    return u, coordinates[a, 1] + weights[1] * vb + weights[2] * vc, abs(ub * vc - uc * vb)


@compiled_loop
def _doubled_area(points: Doubles, corners: Corners) -> float:
    p, q, r = _row(points, corners[0]), _row(points, corners[1]), _row(points, corners[2])
    across = _cross((q[0] - p[0], q[1] - p[1], q[2] - p[2]), (r[0] - p[0], r[1] - p[1], r[2] - p[2]))
    return float(np.sqrt(_dot(across, across)))


@compiled_loop
def _surface(points: Doubles, normals: Floats, corners: Corners, ray: Vector) -> tuple[Vector, Vector, Vector, float]:
    """Return barycentric coordinates, normal, direction to the camera and depth where a ray meets a triangle."""
    a, b, c = _row(points, corners[0]), _row(points, corners[1]), _row(points, corners[2])
    weights, front = weights_at(a, b, c, ray)
    normal = _unit(_mix(normals, corners, weights))
    if not front:
        normal = (-normal[0], -normal[1], -normal[2])
    away = _unit((-ray[0], -ray[1], 1.0))
    turned = _dot(normal, away)
    if turned < 0:  # Interpolated normals turn away earlier than the surface.
        normal = _unit((normal[0] - turned * away[0], normal[1] - turned * away[1], normal[2] - turned * away[2]))
    return weights, normal, away, -(weights[0] * a[2] + weights[1] * b[2] + weights[2] * c[2])


@compiled_loop
def _texture(
    texels: Floats,
    levels: NDArray[np.int64],
    coordinates: Floats,
    points: Doubles,
    p: int,
    corners: Corners,
    weights: Vector,
    scale: float,
) -> Vector:
    """Return the linear RGB of a point of a triangle of part `p`; `scale` is in pixels per decimetre."""
    u, v, area = _place(coordinates, corners, weights)
    pixels = max(_doubled_area(points, corners) * scale * scale, 1e-12)
    return texel(texels, levels, p, u, v, area * levels[p, 0, 1] * levels[p, 0, 2] / pixels)


@compiled_loop
def _share(
    owner: Indices, offsets: Doubles, through: Floats, opacity: float, row: int, column: int, first: int
) -> tuple[float, float, float, float]:
    """Return the centre, number and transmittance of the samples of the triangle of sample `first`.

    The number is 0 if an earlier sample has the same triangle.
    """
    t, x, y, count, passed = owner[row, column, first], 0.0, 0.0, 0.0, 0.0
    for s in range(first):
        if owner[row, column, s] == t:
            return 0.0, 0.0, 0.0, 0.0
    for s in range(first, owner.shape[2]):
        if owner[row, column, s] == t:
            x, y, count = x + offsets[s, 0], y + offsets[s, 1], count + 1.0
            if through.size:
                passed += through[row, column, s]
                through[row, column, s] *= np.float32(1.0 - opacity)
    return x / count, y / count, count, passed if through.size else count


@compiled_loop
def collect(
    scene: Surroundings,
    owner: Indices,
    offsets: Doubles,
    opacity: Doubles,
    top: int,
    through: Floats,
    out: Fragments,
) -> int:
    """Collect the fragments of some rows, pixel by pixel, and return their number.

    Args:
        scene: The scene.
        owner: (R, W, S), triangles at the samples of the rows.
        offsets: (S, 2), x and y of the samples in their pixel.
        opacity: (P,), of parts.
        top: The first row.
        through: (R, W, S), light that nearer surfaces let through, updated in place; or empty if there are none.
        out: Space for the fragments.
    """
    # Fields are read once: each time, numba counts references, which is slow and makes threads wait for each other.
    points, triangles, normals, colours, coordinates, lit, part, texels, levels = scene[:9]
    (focal, centre_x, centre_y), depths, openness, cell, sharpness = scene[9:]
    pixel, share, seen, depth, parts, albedo, direction, away, open_part, arriving = out
    f, middle = 0, cell // 2 + 0.5
    for row, column, s in np.ndindex(owner.shape):
        t = owner[row, column, s]
        if t < 0:
            continue
        p = int(part[t])
        x, y, count, passed = _share(owner, offsets, through, float(opacity[p]), row, column, s)
        if count == 0:
            continue
        x, y, corners = column + x, top + row + y, (triangles[t, 0], triangles[t, 1], triangles[t, 2])
        ray = ((x - centre_x) / focal, (centre_y - y) / focal, -1.0)
        weights, normal, to_camera, z = _surface(points, normals, corners, ray)
        colour = _mix(colours, corners, weights)
        if levels[p, 0, 1] > 0:
            colour = _texture(texels, levels, coordinates, points, p, corners, weights, focal / z)
        pixel[f], parts[f], depth[f] = row * owner.shape[1] + column, p, z
        share[f], seen[f] = count / owner.shape[2], passed / owner.shape[2]
        open_part[f] = _open_at(depths, openness, sharpness, (x - middle) / cell, (y - middle) / cell, z)
        arriving[f] = weights[0] * lit[corners[0]] + weights[1] * lit[corners[1]] + weights[2] * lit[corners[2]]
        _write(albedo, f, colour)
        _write(direction, f, normal)
        _write(away, f, to_camera)
        f += 1
    return f
