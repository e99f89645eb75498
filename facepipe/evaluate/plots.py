"""Plots as SVG text for HTML pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.page_text import escape

WIDTH, HEIGHT = 560, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 24, 18
COLOURS = ("#d1495b", "#30638e", "#8d99ae", "#edae49", "#00798c", "#7b4b94")
MAX_POINTS = 240


def dots(title: str, series: Mapping[str, Sequence[float]], *, band: tuple[float, float] | None = None) -> str:
    """Plot one dot per case and candidate, sorted by the first series. `band` is the range of good values."""
    first = next(iter(series.values()))
    order = np.argsort([math.inf if math.isnan(value) else value for value in first])
    every = [value for values in series.values() for value in values if math.isfinite(value)]
    low, high = _ends([*every, *(band or ())])
    parts = [_frame(title, low, high)]
    if band:
        top, bottom = _y(band[1], low, high), _y(band[0], low, high)
        parts.append(
            f'<rect x="{LEFT}" y="{top:.1f}" width="{WIDTH - LEFT - RIGHT}" height="{bottom - top:.1f}" class="band"/>'
        )
    for (_name, values), colour in zip(series.items(), cycle(COLOURS), strict=False):
        places = [(_x(place, len(order)), values[case]) for place, case in enumerate(order)]
        parts += [
            f'<circle cx="{x:.1f}" cy="{_y(value, low, high):.1f}" r="3" fill="{colour}"/>'
            for x, value in places
            if math.isfinite(value)
        ]
    return _svg([*parts, _legend(series)])


def curves(title: str, series: Mapping[str, NDArray[np.floating]], *, width: int = 250, height: int = 110) -> str:
    """Plot lines over the frames of one clip."""
    low, high = _ends([float(value) for values in series.values() for value in (values.min(), values.max())])
    parts = [f'<text x="4" y="12">{escape(title)}</text><text x="4" y="{height - 4}" class="tick">{low:.3g}</text>']
    parts.append(f'<text x="4" y="26" class="tick">{high:.3g}</text>')
    for values, colour in zip(series.values(), (COLOURS[1], COLOURS[0]), strict=False):
        sampled = values[np.unique(np.linspace(0, len(values) - 1, MAX_POINTS).astype(int))]
        across = np.linspace(40, width - 4, len(sampled))
        down = [_scaled(float(value), low, high, 18, height - 6) for value in sampled]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.3"/>')
    return _svg(parts, width, height)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """Return the limits of an axis for the finite values, with a margin."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    spare = 0.05 * (high - low) or max(abs(high), 1e-3) * 0.1
    return low - spare, high + spare


def _x(place: int, count: int) -> float:
    return LEFT + (place + 0.5) * (WIDTH - LEFT - RIGHT) / max(count, 1)


def _y(value: float, low: float, high: float) -> float:
    return _scaled(value, low, high, TOP, HEIGHT - BOTTOM)


def _scaled(value: float, low: float, high: float, top: float, bottom: float) -> float:
    return bottom - (value - low) / (high - low) * (bottom - top)


def _frame(title: str, low: float, high: float) -> str:
    lines = []
    for value in np.linspace(low, high, 5)[1:-1]:
        y = _y(float(value), low, high)
        lines.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
            f'<text x="{LEFT - 4}" y="{y + 4:.1f}" text-anchor="end" class="tick">{value:.3g}</text>'
        )
    return f'<text x="{LEFT}" y="14">{escape(title)}</text>' + "".join(lines)


def _legend(names: Mapping[str, object]) -> str:
    parts, x = [], LEFT
    for name, colour in zip(names, cycle(COLOURS), strict=False):
        parts.append(f'<circle cx="{x + 4}" cy="{HEIGHT - 6}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{x + 12}" y="{HEIGHT - 2}" class="tick">{escape(name)}</text>')
        x += 30 + 6 * len(name)
    return "".join(parts)


def _svg(parts: Sequence[str], width: int = WIDTH, height: int = HEIGHT) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img">{"".join(parts)}</svg>'
    )
