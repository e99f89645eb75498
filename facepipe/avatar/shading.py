"""Shading: the light that visible surfaces send to the camera.

A stylised head is lit by a warm key light from the upper left, a cool fill light from the right, light from behind that
traces the outline, and the surroundings, which ambient occlusion shuts out. Light is linear, directions are those of
`facepipe.avatar.camera`, and lights turn with the camera.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.avatar.fragments import Fragments
from facepipe.avatar.interpolation import compiled_loop
from facepipe.avatar.mesh import Floats

Doubles = NDArray[np.float64]
Vector = tuple[float, float, float]

KEY: Vector = (-0.36, 0.62, 0.70)
KEY_LIGHT: Vector = (0.90, 0.85, 0.775)
FILL: Vector = (0.80, 0.12, 0.58)
FILL_LIGHT: Vector = (0.17, 0.185, 0.215)
SKY_LIGHT: Vector = (0.30, 0.315, 0.345)
GROUND_LIGHT: Vector = (0.185, 0.155, 0.14)
RIM_LIGHT: Vector = (0.34, 0.36, 0.40)
WINDOWS = ((-0.24, 0.27, 0.055, 0.9), (0.22, -0.20, 0.03, 0.30))
"""Lights mirrored by eyes: x and y of the normal where they appear, radius, strength."""
SHADOW = 0.15
"""Key light that reaches shadows, because it comes from a window, not from a point."""
RED_LIGHTS, GREEN_LIGHTS, BLUE_LIGHTS = zip(KEY_LIGHT, FILL_LIGHT, SKY_LIGHT, GROUND_LIGHT, strict=True)


@compiled_loop
def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled_loop
def _unit(a: Vector) -> Vector:
    scale = 1.0 / max(np.sqrt(_dot(a, a)), 1e-20)
    return a[0] * scale, a[1] * scale, a[2] * scale


@compiled_loop
def _reflection(normal: Vector, light: Vector, away: Vector, alpha: float) -> float:
    """Return the light reflected by a rough surface: the GGX distribution with a constant visibility term."""
    half = _unit((light[0] + away[0], light[1] + away[1], light[2] + away[2]))
    cosine, squared = max(_dot(normal, half), 0.0), alpha * alpha
    spread = cosine * cosine * (squared - 1.0) + 1.0
    return 0.01 * squared / (spread * spread) * max(_dot(normal, light), 0.0)


@compiled_loop
def _windows(normal: Vector) -> float:
    """Return the light of the mirrored windows."""
    total = 0.0
    for x, y, radius, strength in WINDOWS:
        squared = ((normal[0] - x) ** 2 + (normal[1] - y) ** 2) / (radius * radius)
        edge = min(max(1.6 - 1.1 * squared, 0.0), 1.0)
        total += strength * edge * edge * (3.0 - 2.0 * edge)
    return total


@compiled_loop
def _sheen(normal: Vector, away: Vector, up: Vector, light: Vector) -> float:
    """Return the highlight across strands that run down along the surface (Kajiya and Kay 1989, raised to the 32nd)."""
    along = _dot(up, normal)
    strand = _unit((up[0] - along * normal[0], up[1] - along * normal[1], up[2] - along * normal[2]))
    cosine = _dot(strand, _unit((light[0] + away[0], light[1] + away[1], light[2] + away[2])))
    power = max(1.0 - cosine * cosine, 0.0)
    power *= power
    power *= power
    power *= power
    power *= power
    return power * max(_dot(normal, light) * 0.7 + 0.3, 0.0)


@compiled_loop
def _channel(
    albedo: float,
    wrap: float,
    scale: float,
    cosines: Vector,
    open_part: float,
    lit: float,
    lights: tuple[float, float, float, float],
) -> float:
    """Return the diffuse light of one colour channel; `cosines` are those to key, fill and zenith."""
    key, fill, sky, ground = lights
    direct, side = max((cosines[0] + wrap) * scale, 0.0), max((cosines[1] + wrap) * scale, 0.0)
    # Light that is reflected between bright surfaces fills their folds.
    ambient = open_part / (1.0 - albedo * (1.0 - open_part) * 0.7)
    # The edge of a shadow is as soft as light is scattered far.
    lit = SHADOW + (1.0 - SHADOW) * lit * (1.0 + 0.35 * wrap * (1.0 - lit))
    around = (ground + (sky - ground) * (0.5 + 0.5 * cosines[2])) * ambient
    return albedo * (key * direct * direct * lit * (0.5 + 0.5 * ambient) + fill * side * side * ambient + around)


@compiled_loop
def shade(
    count: int, fragments: Fragments, surfaces: NDArray[np.void], key: Vector, fill: Vector, up: Vector, out: Floats
) -> None:
    """Write the light, linear RGB, that leaves `count` fragments to the camera, (3, F).

    The loop has no branches, so that it is compiled to vector instructions.

    Args:
        count: Number of fragments.
        fragments: The fragments.
        surfaces: (P,) of `facepipe.avatar.surfaces.TABLE`.
        key: Unit direction to the key light.
        fill: Unit direction to the fill light.
        up: Direction of the crown.
        out: Diffuse light times opacity, and mirrored light.
    """
    for f in range(count):
        surface = surfaces[fragments.part[f]]
        normal = (float(fragments.normal[0, f]), float(fragments.normal[1, f]), float(fragments.normal[2, f]))
        away = (float(fragments.away[0, f]), float(fragments.away[1, f]), float(fragments.away[2, f]))
        albedo = (float(fragments.albedo[0, f]), float(fragments.albedo[1, f]), float(fragments.albedo[2, f]))
        open_part, lit = float(fragments.open_part[f]), float(fragments.lit[f])
        cosines = (_dot(normal, key), _dot(normal, fill), normal[1])
        grazing = 1.0 - max(_dot(normal, away), 0.0)
        rim = surface.rim * grazing * grazing * grazing * open_part * min(max(0.55 + 0.6 * normal[1], 0.0), 1.0)
        shine = surface.specular * lit * _reflection(normal, key, away, surface.alpha)
        sheen = surface.sheen * lit * open_part * _sheen(normal, away, up, key)
        glint = surface.glint * _windows(normal)
        red = _channel(albedo[0], surface.red_scatter, surface.red_scale, cosines, open_part, lit, RED_LIGHTS)
        green = _channel(albedo[1], surface.green_scatter, surface.green_scale, cosines, open_part, lit, GREEN_LIGHTS)
        blue = _channel(albedo[2], surface.blue_scatter, surface.blue_scale, cosines, open_part, lit, BLUE_LIGHTS)
        mirrored = (
            KEY_LIGHT[0] * (shine + sheen * (0.05 + 0.95 * albedo[0]))
            + glint
            + RIM_LIGHT[0] * rim * (0.12 + 0.88 * albedo[0])
        )
        out[0, f] = red * surface.opacity + mirrored
        mirrored = (
            KEY_LIGHT[1] * (shine + sheen * (0.05 + 0.95 * albedo[1]))
            + glint
            + RIM_LIGHT[1] * rim * (0.12 + 0.88 * albedo[1])
        )
        out[1, f] = green * surface.opacity + mirrored
        mirrored = (
            KEY_LIGHT[2] * (shine + sheen * (0.05 + 0.95 * albedo[2]))
            + glint
            + RIM_LIGHT[2] * rim * (0.12 + 0.88 * albedo[2])
        )
        out[2, f] = blue * surface.opacity + mirrored
