"""Plots of a measure against the rate, as SVG text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np

from facepipe.engine.page_text import escape
from facepipe.evaluate.codec.metrics import frontier

COLOURS = ("#d1495b", "#30638e", "#edae49", "#8d99ae", "#7b4b94", "#00798c")
WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 54, 16, 28, 62
RATES = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200)
Point = tuple[float, float]


def rate_plot(title: str, series: Mapping[str, Sequence[Point]], *, higher_is_better: bool = False) -> str:
    """Plot (kbit/s, value) points by codec over a logarithmic rate; a line joins those that no other one beats."""
    every = [point for points in series.values() for point in points]
    if not every:
        return ""
    rates = np.log([rate for rate, _ in every])
    values = [value for _, value in every]
    low, high = min(values), max(values)
    spare = 0.06 * (high - low) or 1.0
    area = _Area(float(rates.min()) - 0.12, float(rates.max()) + 0.12, low - spare, high + spare)
    parts = [f'<text x="{LEFT}" y="16">{escape(title)}</text>', *_grid(area)]
    for (name, points), colour in zip(series.items(), cycle(COLOURS), strict=False):
        sign = -1 if higher_is_better else 1
        best = [area.place(rate, sign * value) for rate, value in frontier([(x, sign * y) for x, y in points])]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in best)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        for x, y in (area.place(*point) for point in points):
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{escape(name)}</title></circle>'
            )
    parts += _legend(list(series))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img">{"".join(parts)}</svg>'
    )


class _Area:
    """The limits of the axes: the logarithm of the rate, and the value."""

    def __init__(self, left: float, right: float, low: float, high: float) -> None:
        self.left, self.right, self.low, self.high = left, right, low, high

    def place(self, rate: float, value: float) -> Point:
        """Return the position of a point in the picture."""
        across = (math.log(rate) - self.left) / (self.right - self.left)
        up = (value - self.low) / (self.high - self.low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)


def _grid(area: _Area) -> list[str]:
    parts = []
    for rate in RATES:
        if area.left <= math.log(rate) <= area.right:
            x, _ = area.place(rate, area.low)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" class="grid"/>')
            parts.append(
                f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 14}" text-anchor="middle" class="tick">{rate}</text>'
            )
    for value in _ticks(area.low, area.high):
        _, y = area.place(math.exp(area.left), float(value))
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end" class="tick">{value:.3g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    return [*parts, f'<text x="{middle}" y="{HEIGHT - 32}" text-anchor="middle" class="tick">kbit/s</text>']


def _ticks(low: float, high: float) -> list[float]:
    """Return round values inside an axis, 3 to 8 of them."""
    power = 10.0 ** math.floor(math.log10((high - low) / 3))
    step = max(power * factor for factor in (1, 2, 5) if power * factor <= (high - low) / 3)
    return [step * place for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _legend(names: Sequence[str]) -> list[str]:
    parts, x = [], float(LEFT)
    for name, colour in zip(names, cycle(COLOURS), strict=False):
        parts.append(f'<circle cx="{x + 4}" cy="{HEIGHT - 12}" r="4" fill="{colour}"/>')
        parts.append(f'<text x="{x + 12}" y="{HEIGHT - 8}" class="tick">{escape(name)}</text>')
        x += 34 + 6 * len(name)
    return parts
