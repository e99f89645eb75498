"""A toy renderer that pools several pictures of a person: frames of their mean colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from facepipe.rendering.source import Picture, Source
from facepipe.rendering.spec import RendererSpec
from facepipe.spaces.coefficients import Coefficients

if TYPE_CHECKING:
    from facepipe.rendering.spec import FrameRenderer

SPEC = RendererSpec(
    name="pooling",
    about="the mean colour of all pictures of the source",
    space="linear478",
    open="tests.renderers.pooling:open_renderer",
    prepare="tests.renderers.pooling:prepare",
    weights=("face-model",),
    max_pictures=4,
)


def prepare(weights: Mapping[str, Path], source: Source, *, prior: Any) -> Mapping[str, torch.Tensor]:
    """Return the mean colour (3,) of all pictures, and their number."""
    del weights, prior
    pictures = [one.picture for one in (source, *source.more)]
    assert all(one.points.shape == (478, 3) and len(one.coefficients) == 1 for one in source.more)
    mean = np.mean([picture.mean((0, 1)) for picture in pictures], axis=0)
    return {"mean": torch.tensor(mean), "pictures": torch.tensor(len(pictures))}


def open_renderer(
    weights: Mapping[str, Path], source: Source, *, prior: Any, prepared: Any, compiled: bool
) -> FrameRenderer:
    """Open the renderer."""
    del weights, prior, compiled
    assert not source.more
    frame = np.broadcast_to(prepared["mean"].numpy().round().astype(np.uint8), source.picture.shape)

    def render(motion: Coefficients, first: int, end: int) -> Iterator[Picture]:
        del motion
        for _ in range(first, end):
            yield np.ascontiguousarray(frame)

    return render
