"""Stage `sheet`: a contact sheet of a finished video, or of several pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from facepipe.engine.stage import Stage, StageRun
from facepipe.media.contact import contact_sheet
from facepipe.media.files import kind_of
from facepipe.media.image import read_image, write_image
from facepipe.media.limits import NO_LIMITS
from facepipe.media.origin import origin_metadata
from facepipe.motion.sliders import label_of


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    columns: int = 4
    count: int = 12
    """Number of frames of a video."""
    tile_height: int = 256
    labels: tuple[str, ...] = ()
    """Captions of pictures, one each."""
    sweeps: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Sliders with first and last value, interpolated linearly over a video, for the captions of its frames."""


def sheet(run: StageRun[Params]) -> Mapping[str, Any]:
    """Write a contact sheet: frames of a video with their times, or pictures after their source, if given."""
    params, results = run.params, run.many("results")
    make_sheet = partial(contact_sheet, columns=params.columns, tile_height=params.tile_height)
    if kind_of(results[0]) == "image":
        paths = [*([run.input("source")] if "source" in run.inputs else []), *results]
        labels = [*(["source"] if "source" in run.inputs else []), *params.labels]
        tiles = make_sheet((read_image(path, NO_LIMITS) for path in paths), labels=labels)
    else:
        tiles = make_sheet(results[0], count=params.count, caption=partial(caption, params))
    write_image(run.output / "sheet.png", tiles, metadata=origin_metadata())
    return {"size_pixels": [tiles.shape[1], tiles.shape[0]]}


def caption(params: Params, share: float) -> str:
    """Return the text of the sliders' values at a share, in [0, 1], of a video."""
    return label_of({name: round(first + share * (last - first), 2) for name, (first, last) in params.sweeps.items()})


STAGE = Stage(
    name="sheet", version=2, inputs=("results*", "source?"), outputs=("sheet.png",), params=Params, function=sheet
)
