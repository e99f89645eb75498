"""Plots as inline SVG, without external libraries or files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from facepipe.engine.page_text import escape
from facepipe.engine.progress import duration_text

WIDTH, HEIGHT, MARGIN = 560, 200, 36
BAR_HEIGHT, LABEL_WIDTH, MAX_LABEL_WIDTH = 24, 120, 300
CHARACTER_WIDTH = 7
"""Width of a character at the size of the labels, in the units of the plot."""


def progress_plot(ends: Sequence[tuple[float, str]], good: str) -> str:
    """Plot ended items over time, those with the state `good` and the others. `ends` holds (Unix time, state)."""
    if len(ends) < 2:
        return _empty("too few items for a plot")
    first, last = ends[0][0], ends[-1][0]
    lines = []
    for kind, wanted in (("good", True), ("bad", False)):
        times = [time for time, state in ends if (state == good) is wanted]
        points = [(time, (number + 1) / len(ends)) for number, time in enumerate(times)]
        lines.append(_line(points, first, last, kind))
    span = duration_text(last - first)
    axis = _text(MARGIN, HEIGHT - 8, "start") + _text(WIDTH - MARGIN, HEIGHT - 8, span, anchor="end")
    return _svg(HEIGHT, _frame() + "".join(lines) + axis, "ended items over time")


def histogram(values: Sequence[float], unit: str, bins: int = 24) -> str:
    """Plot a histogram."""
    if not values:
        return _empty("no finished items yet")
    low, high = min(values), max(values)
    width = (high - low) / bins or 1.0
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int((value - low) / width))] += 1
    step = (WIDTH - 2 * MARGIN) / bins
    bars = "".join(
        f'<rect class="good" x="{MARGIN + number * step:.1f}" y="{_y(count / max(counts)):.1f}" '
        f'width="{step - 1:.1f}" height="{_y(0) - _y(count / max(counts)):.1f}">'
        f"<title>{low + number * width:.2f} to {low + (number + 1) * width:.2f} {unit}: {count}</title></rect>"
        for number, count in enumerate(counts)
    )
    axis = _text(MARGIN, HEIGHT - 8, f"{low:.2f} {unit}")
    axis += _text(WIDTH - MARGIN, HEIGHT - 8, f"{high:.2f} {unit}", anchor="end")
    return _svg(HEIGHT, _frame() + bars + axis, f"time per item, in {unit}")


def bars(values: Mapping[str, float], unit: str, kind: str = "good") -> str:
    """Plot one horizontal bar per name, the longest first."""
    if not values:
        return _empty("none")
    longest = max(values.values()) or 1.0
    left = min(MAX_LABEL_WIDTH, max(LABEL_WIDTH, 16 + CHARACTER_WIDTH * max(map(len, values))))
    parts, room = [], WIDTH - left - 90
    for number, (name, value) in enumerate(sorted(values.items(), key=lambda pair: -pair[1])):
        y = number * BAR_HEIGHT
        parts.append(_text(left - 8, y + 16, name, anchor="end"))
        width = max(1.0, room * value / longest)
        parts.append(f'<rect class="{kind}" x="{left}" y="{y + 4}" width="{width:.1f}" height="{BAR_HEIGHT - 8}"/>')
        parts.append(_text(left + width + 6, y + 16, f"{value:,.0f} {unit}".strip()))
    return _svg(len(values) * BAR_HEIGHT + 4, "".join(parts), "bars")


def _line(points: Sequence[tuple[float, float]], first: float, last: float, kind: str) -> str:
    if not points:
        return ""
    span, room = last - first or 1.0, WIDTH - 2 * MARGIN
    placed = [f"{MARGIN + room * max(0.0, time - first) / span:.1f},{_y(share):.1f}" for time, share in points]
    return f'<polyline class="{kind}" points="{" ".join(placed)}"/>'


def _y(share: float) -> float:
    return HEIGHT - MARGIN + 8 - share * (HEIGHT - MARGIN - 8)


def _frame() -> str:
    return f'<path class="axis" d="M{MARGIN} 8V{_y(0):.0f}H{WIDTH - MARGIN}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, content: str, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{content}</svg>"
    )


def _empty(text: str) -> str:
    return f'<p class="empty">{escape(text)}</p>'
