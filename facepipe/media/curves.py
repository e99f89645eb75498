"""Plots of curves over time, stacked in one picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Floats = NDArray[np.floating]

PANEL_HEIGHT, MARGIN, TITLE_HEIGHT = 110, 44, 16
PAPER, INK, GRID = (255, 255, 255), (0, 0, 0), (222, 222, 222)
COLOURS = ((31, 119, 180), (214, 39, 40), (44, 160, 44), (148, 103, 189))


@dataclass(frozen=True)
class Panel:
    """One plot: lines, or a filled band between two lines."""

    title: str
    lines: Sequence[tuple[str, Floats]]
    """(name, values) of each line. Lines of different lengths are stretched to the same duration."""
    filled: bool = False
    """Fill the band between the first two lines instead of drawing lines."""


def draw_curves(panels: Sequence[Panel], *, seconds: float, width: int = 1040) -> NDArray[np.uint8]:
    """Return (H, width, 3) uint8 RGB with the panels stacked over one time axis in seconds."""
    step = PANEL_HEIGHT + TITLE_HEIGHT
    image = Image.new("RGB", (width, step * len(panels) + 20), PAPER)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default()
    left, right = MARGIN, width - 8
    for number, panel in enumerate(panels):
        top = number * step + TITLE_HEIGHT
        _draw_panel(pen, font, panel, (left, top, right, top + PANEL_HEIGHT - 6))
    for share in np.linspace(0, 1, 9):
        place = left + share * (right - left)
        pen.text((place - 10, step * len(panels) + 4), f"{share * seconds:.2f} s", fill=INK, font=font)
    return np.array(image)


def _draw_panel(pen: ImageDraw.ImageDraw, font: object, panel: Panel, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    low = min(float(line.min()) for _, line in panel.lines)
    high = max(float(line.max()) for _, line in panel.lines)
    span = max(high - low, 1e-9)
    pen.rectangle(box, outline=GRID)
    for value in (low, high):
        pen.text((2, bottom - (value - low) / span * (bottom - top) - 6), f"{value:.3g}", fill=INK, font=font)  # type: ignore[arg-type]
    if low < 0 < high:
        level = bottom + low / span * (bottom - top)
        pen.line((left, level, right, level), fill=GRID)
    placed = [_points(line, low, span, box) for _, line in panel.lines]
    if panel.filled:
        pen.polygon([*placed[0], *placed[1][::-1]], fill=COLOURS[0])
    else:
        for points, colour in zip(placed, COLOURS, strict=False):
            pen.line(points, fill=colour, width=2)
    at = left
    pen.text((at, top - TITLE_HEIGHT + 2), panel.title, fill=INK, font=font)  # type: ignore[arg-type]
    at += 8 * len(panel.title) + 10
    for (name, _), colour in zip(panel.lines, COLOURS, strict=False):
        pen.text((at, top - TITLE_HEIGHT + 2), name, fill=colour, font=font)  # type: ignore[arg-type]
        at += 8 * len(name) + 10


def _points(line: Floats, low: float, span: float, box: tuple[int, int, int, int]) -> list[tuple[float, float]]:
    left, top, right, bottom = box
    across = np.linspace(left, right, len(line)) if len(line) > 1 else np.array([left])
    down = bottom - (line - low) / span * (bottom - top)
    points = list(zip(across.tolist(), down.tolist(), strict=True))
    return points if len(points) > 1 else [*points, (float(right), points[0][1])]
