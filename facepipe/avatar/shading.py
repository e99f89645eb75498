"""Shading: the light that visible surfaces send to the camera.

A picture of a stylised head is lit by a warm key light from the upper left, a cool fill light from the right, light from
behind that traces the outline, and the surroundings, which ambient occlusion shuts out. Light is linear; the camera's axes
are those of `facepipe.avatar.camera`. Lights turn with the camera.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.mesh import Floats, Indices
from facepipe.models.compiled import compiled

Doubles = NDArray[np.float64]
Vector = tuple[float, float, float]

KEY: Vector = (-0.48, 0.55, 0.68)
KEY_LIGHT: Vector = (0.80, 0.755, 0.69)
FILL: Vector = (0.80, 0.12, 0.58)
FILL_LIGHT: Vector = (0.17, 0.185, 0.215)
SKY_LIGHT: Vector = (0.30, 0.315, 0.345)
GROUND_LIGHT: Vector = (0.185, 0.155, 0.14)
RIM_LIGHT: Vector = (0.34, 0.36, 0.40)
WINDOWS = ((-0.24, 0.27, 0.055, 0.9), (0.22, -0.20, 0.03, 0.30))
"""Lights mirrored by eyes: x and y of the normal where they appear, radius, strength."""
RED_LIGHTS, GREEN_LIGHTS, BLUE_LIGHTS = zip(KEY_LIGHT, FILL_LIGHT, SKY_LIGHT, GROUND_LIGHT, strict=True)


class Surroundings(NamedTuple):
    """What the shading of a picture reads, beside coverage: arrays of a scene as seen by a camera."""

    points: Doubles
    """(N, 3) camera coordinates."""
    triangles: Indices
    normals: Floats
    """(N, 3) in camera axes."""
    colours: Floats
    """(N, 3) linear RGB."""
    texture_coordinates: Floats
    part: NDArray[np.uint8]
    """(M,), row of `surfaces` of each triangle."""
    surfaces: NDArray[np.void]
    texels: Floats
    levels: NDArray[np.int64]
    lens: Vector
    """Focal length and x and y of the centre, in pixels."""
    up: Vector
    """Direction of the crown in camera axes."""
    depths: Floats
    """(h, w), depth of the cells of the grid of openness."""
    openness: Floats
    cell: int
    """Side of a cell in pixels."""
    tolerance: float
    """Difference in depth, in decimetres, at which cells count half."""


@compiled
def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@compiled
def _minus(a: Vector, b: Vector) -> Vector:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@compiled
def _unit(a: Vector) -> Vector:
    scale = 1.0 / max(np.sqrt(_dot(a, a)), 1e-20)
    return a[0] * scale, a[1] * scale, a[2] * scale


@compiled
def _row(array: NDArray[np.floating], index: int) -> Vector:
    return float(array[index, 0]), float(array[index, 1]), float(array[index, 2])


@compiled
def _mix(array: NDArray[np.floating], corners: tuple[int, int, int], weights: Vector) -> Vector:
    """Return the attribute of a point of a triangle."""
    a, b, c = corners
    u, v, w = weights
    return (
        u * array[a, 0] + v * array[b, 0] + w * array[c, 0],
        u * array[a, 1] + v * array[b, 1] + w * array[c, 1],
        u * array[a, 2] + v * array[b, 2] + w * array[c, 2],
    )


@compiled
def weights_at(view: Doubles, corners: tuple[int, int, int], ray: Vector) -> tuple[Vector, bool]:
    """Return the barycentric coordinates where a ray from the camera meets a triangle, and whether it meets the front.

    They are perspective-correct. Outside of the triangle, as at pixels that it covers in part, the nearest corner or
    edge counts.
    """
    a, b, c = _row(view, corners[0]), _row(view, corners[1]), _row(view, corners[2])
    u, v, w = _dot(ray, _cross(b, c)), _dot(ray, _cross(c, a)), _dot(ray, _cross(a, b))
    front = u + v + w < 0
    if front:
        u, v, w = -u, -v, -w
    u, v, w = max(u, 0.0), max(v, 0.0), max(w, 0.0)
    total = u + v + w
    if total <= 0:
        return (1 / 3, 1 / 3, 1 / 3), front
    return (u / total, v / total, w / total), front


@compiled
def _reflection(normal: Vector, light: Vector, away: Vector, alpha: float) -> float:
    """Return the light reflected by a rough surface: the GGX distribution with a constant visibility term."""
    half = _unit((light[0] + away[0], light[1] + away[1], light[2] + away[2]))
    cosine, squared = max(_dot(normal, half), 0.0), alpha * alpha
    spread = cosine * cosine * (squared - 1.0) + 1.0
    return 0.01 * squared / (spread * spread) * max(_dot(normal, light), 0.0)


@compiled
def _windows(normal: Vector) -> float:
    """Return the light of the mirrored windows."""
    total = 0.0
    for x, y, radius, strength in WINDOWS:
        squared = ((normal[0] - x) ** 2 + (normal[1] - y) ** 2) / (radius * radius)
        edge = min(max(1.6 - 1.1 * squared, 0.0), 1.0)
        total += strength * edge * edge * (3.0 - 2.0 * edge)
    return total


@compiled
def _sheen(normal: Vector, away: Vector, up: Vector, light: Vector) -> float:
    """Return the highlight across strands that run down along the surface (Kajiya and Kay 1989, raised to the 32nd)."""
    along = _dot(up, normal)
    strand = _unit((up[0] - along * normal[0], up[1] - along * normal[1], up[2] - along * normal[2]))
    cosine = _dot(strand, _unit((light[0] + away[0], light[1] + away[1], light[2] + away[2])))
    power = max(1.0 - cosine * cosine, 0.0)
    for _ in range(4):
        power *= power
    return power * max(_dot(normal, light) * 0.7 + 0.3, 0.0)


@compiled
def _channel(
    albedo: float, wrap: float, cosines: Vector, open_part: float, lit: float, lights: tuple[float, float, float, float]
) -> float:
    """Return the diffuse light of one colour channel; `cosines` are those to key, fill and zenith."""
    key, fill, sky, ground = lights
    direct = max((cosines[0] + wrap) / (1.0 + wrap), 0.0)
    side = max((cosines[1] + wrap) / (1.0 + wrap), 0.0)
    # Light that is reflected between bright surfaces fills their folds.
    ambient = open_part / (1.0 - albedo * (1.0 - open_part) * 0.7)
    around = (ground + (sky - ground) * (0.5 + 0.5 * cosines[2])) * ambient
    return albedo * (key * direct * direct * lit * (0.5 + 0.5 * ambient) + fill * side * side * ambient + around)


@compiled
def reflected(
    albedo: Vector, normal: Vector, away: Vector, up: Vector, open_part: float, lit: float, surface: np.void
) -> tuple[Vector, Vector]:
    """Return the diffuse and the mirrored light, linear RGB, that leave a point of a surface.

    Args:
        albedo: Linear RGB.
        normal: Unit normal.
        away: Unit direction to the camera.
        up: Direction of the crown.
        open_part: Fraction of the surroundings that are seen, in [0, 1].
        lit: Fraction of the key light that arrives, in [0, 1].
        surface: A row of `facepipe.avatar.surfaces.TABLE`.
    """
    key, fill = _unit(KEY), _unit(FILL)
    cosines = (_dot(normal, key), _dot(normal, fill), normal[1])
    grazing = 1.0 - max(_dot(normal, away), 0.0)
    rim = surface.rim * grazing * grazing * grazing * open_part * min(max(0.55 + 0.6 * normal[1], 0.0), 1.0)
    shine = surface.specular * lit * _reflection(normal, key, away, surface.alpha)
    if surface.sheen > 0:
        shine += surface.sheen * lit * open_part * _sheen(normal, away, up, key)
    glint = surface.glint * _windows(normal) if surface.glint > 0 else 0.0
    diffuse = (
        _channel(albedo[0], surface.red_scatter, cosines, open_part, lit, RED_LIGHTS),
        _channel(albedo[1], surface.green_scatter, cosines, open_part, lit, GREEN_LIGHTS),
        _channel(albedo[2], surface.blue_scatter, cosines, open_part, lit, BLUE_LIGHTS),
    )
    edge = (0.25 + 0.75 * albedo[0], 0.25 + 0.75 * albedo[1], 0.25 + 0.75 * albedo[2])
    mirrored = (
        KEY_LIGHT[0] * shine + glint + RIM_LIGHT[0] * rim * edge[0],
        KEY_LIGHT[1] * shine + glint + RIM_LIGHT[1] * rim * edge[1],
        KEY_LIGHT[2] * shine + glint + RIM_LIGHT[2] * rim * edge[2],
    )
    return diffuse, mirrored


@compiled
def open_at(cells: tuple[Floats, Floats], x: float, y: float, depth: float, tolerance: float) -> float:
    """Return the openness at a point of the grid, interpolated between the cells of like depth."""
    depths, open_parts = cells
    left, top = int(np.floor(x)), int(np.floor(y))
    total, weights = 0.0, 0.0
    for row in range(max(0, top), min(depths.shape[0], top + 2)):
        for column in range(max(0, left), min(depths.shape[1], left + 2)):
            apart = abs(depths[row, column] - depth) / tolerance
            weight = (1.01 - abs(x - column)) * (1.01 - abs(y - row)) / (1.0 + apart * apart)
            total += weight * open_parts[row, column]
            weights += weight
    return total / weights if weights > 0 else 1.0


@compiled
def texel(texels: Floats, places: NDArray[np.int64], u: float, v: float, texture_pixels: float) -> Vector:
    """Return linear RGB of a texture, interpolated.

    Args:
        texels: (K, 3) by `texture_levels`.
        places: (L, 3), the levels of one texture.
        u: To the right, in [0, 1].
        v: Up, in [0, 1].
        texture_pixels: Area of texels of the first level per pixel of the picture; chooses the level.
    """
    level = 0
    while texture_pixels > 2.0 and level + 1 < places.shape[0] and places[level + 1, 1] > 0:
        texture_pixels, level = texture_pixels / 4.0, level + 1
    start, height, width = places[level]
    x, y = min(max(u, 0.0), 1.0) * width - 0.5, (1.0 - min(max(v, 0.0), 1.0)) * height - 0.5
    left, top = int(np.floor(x)), int(np.floor(y))
    red, green, blue = 0.0, 0.0, 0.0
    for row in range(top, top + 2):
        for column in range(left, left + 2):
            weight = (1.0 - abs(x - column)) * (1.0 - abs(y - row))
            k = start + min(max(row, 0), height - 1) * width + min(max(column, 0), width - 1)
            red, green, blue = red + weight * texels[k, 0], green + weight * texels[k, 1], blue + weight * texels[k, 2]
    return red, green, blue


@compiled
def _albedo(scene: Surroundings, t: int, corners: tuple[int, int, int], weights: Vector, depth: float) -> Vector:
    """Return the linear RGB of a point of a triangle, from the texture if its part has one."""
    places = scene.levels[scene.part[t]]
    if places[0, 1] == 0:
        return _mix(scene.colours, corners, weights)
    a, b, c = corners
    place = scene.texture_coordinates
    texture_area = abs(
        (place[b, 0] - place[a, 0]) * (place[c, 1] - place[a, 1]) - (place[c, 0] - place[a, 0]) * (place[b, 1] - place[a, 1])
    )
    here = _row(scene.points, a)
    across = _cross(_minus(_row(scene.points, b), here), _minus(_row(scene.points, c), here))
    scale = scene.lens[0] / depth
    pixel_area = max(np.sqrt(_dot(across, across)) * scale * scale, 1e-12)
    u = weights[0] * place[a, 0] + weights[1] * place[b, 0] + weights[2] * place[c, 0]
    v = weights[0] * place[a, 1] + weights[1] * place[b, 1] + weights[2] * place[c, 1]
    return texel(scene.texels, places, u, v, texture_area * places[0, 1] * places[0, 2] / pixel_area)


@compiled
def shade(scene: Surroundings, t: int, x: float, y: float) -> tuple[Vector, Vector, Vector]:
    """Return diffuse light, mirrored light and the normal where the point x, y of a picture meets a triangle."""
    focal, centre_x, centre_y = scene.lens
    ray = ((x - centre_x) / focal, (centre_y - y) / focal, -1.0)
    corners = (scene.triangles[t, 0], scene.triangles[t, 1], scene.triangles[t, 2])
    weights, front = weights_at(scene.points, corners, ray)
    normal = _unit(_mix(scene.normals, corners, weights))
    if not front:
        normal = (-normal[0], -normal[1], -normal[2])
    away = _unit((-ray[0], -ray[1], 1.0))
    turned = _dot(normal, away)
    if turned < 0:  # Interpolated normals turn away earlier than the surface.
        normal = _unit((normal[0] - turned * away[0], normal[1] - turned * away[1], normal[2] - turned * away[2]))
    depth = -_mix(scene.points, corners, weights)[2]
    cells = (scene.depths, scene.openness)
    middle = scene.cell // 2 + 0.5
    open_part = open_at(cells, (x - middle) / scene.cell, (y - middle) / scene.cell, depth, scene.tolerance)
    albedo = _albedo(scene, t, corners, weights, depth)
    diffuse, mirrored = reflected(albedo, normal, away, scene.up, open_part, 1.0, scene.surfaces[scene.part[t]])
    return diffuse, mirrored, normal


@compiled
def resolve(
    scene: Surroundings,
    owner: Indices,
    offsets: Doubles,
    top: int,
    bottom: int,
    through: Floats,
    light: Floats,
    normals: Floats,
) -> None:
    """Add the light of the nearest surfaces to rows [top, bottom), in place: each triangle once per pixel.

    Args:
        scene: The scene.
        owner: (H, W, S), triangles at the samples.
        offsets: (S, 2), x and y of the samples in their pixel.
        top: First row.
        bottom: End of the rows.
        through: (H, W, S), light that nearer surfaces let through; multiplied by what these let through.
        light: (H, W, 4), linear RGB times alpha, and alpha.
        normals: (H, W, S, 3), normals at the samples, or an empty array.
    """
    samples = offsets.shape[0]
    for row in range(top, bottom):
        for column in range(owner.shape[1]):
            for s in range(samples):
                t = owner[row, column, s]
                earlier = False
                for r in range(s):
                    earlier |= owner[row, column, r] == t
                if t < 0 or earlier:
                    continue
                surface = scene.surfaces[scene.part[t]]
                x, y, count, passed = 0.0, 0.0, 0.0, 0.0
                for r in range(s, samples):
                    if owner[row, column, r] == t:
                        x, y, count = x + offsets[r, 0], y + offsets[r, 1], count + 1.0
                        passed += through[row, column, r] / samples
                        through[row, column, r] *= np.float32(1.0 - surface.opacity)
                diffuse, mirrored, normal = shade(scene, t, column + x / count, row + y / count)
                for c in range(3):
                    light[row, column, c] += passed * (surface.opacity * diffuse[c] + mirrored[c])
                light[row, column, 3] += passed * surface.opacity
                if normals.size:
                    for r in range(s, samples):
                        if owner[row, column, r] == t:
                            for axis in range(3):
                                normals[row, column, r, axis] = normal[axis]
