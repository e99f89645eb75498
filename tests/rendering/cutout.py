"""A toy renderer with alpha: the source in an ellipse that moves with the frames, for tests of backgrounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facepipe.rendering.source import Picture, Source
from facepipe.rendering.spec import RendererSpec
from facepipe.spaces.coefficients import Coefficients

if TYPE_CHECKING:
    from facepipe.rendering.spec import FrameRenderer

SPEC = RendererSpec(
    name="cutout",
    about="an ellipse of the source",
    space="linear478",
    open="tests.rendering.cutout:open_renderer",
    has_alpha=True,
)


def open_renderer(
    weights: Mapping[str, Path],
    source: Source,
    **_: Any,
) -> FrameRenderer:
    """Return the renderer of a source."""
    side = len(source.picture)
    rows, columns = np.mgrid[:side, :side] / (side - 1)

    def render(motion: Coefficients, first: int, end: int) -> Iterator[Picture]:
        for row in range(first, end):
            radius = np.hypot(rows - 0.5, columns - 0.4 - 0.01 * row) / 0.35
            alpha = np.clip((1.1 - radius) * 5, 0, 1)
            yield np.dstack([source.picture, np.round(255 * alpha).astype(np.uint8)])

    return render
