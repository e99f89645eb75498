"""Stage `sheet`: a contact sheet of a finished result, or of several pictures."""

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
from facepipe.motion.sliders import told


@dataclass(frozen=True)
class Params:
    """Settings of the stage."""

    columns: int = 4
    count: int = 12
    """Frames that are shown of a video."""
    tile_height: int = 256
    labels: tuple[str, ...] = ()
    """Of pictures, one each."""
    sweeps: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Sliders that move evenly through a video, to be told below its frames."""


def sheet(run: StageRun[Params]) -> Mapping[str, Any]:
    """Lay out frames of a video, with their times; pictures stand beside their source, where given."""
    params, results = run.params, run.many("results")
    lay = partial(contact_sheet, columns=params.columns, tile_height=params.tile_height)
    if kind_of(results[0]) == "image":
        paths = [*([run.input("source")] if "source" in run.inputs else []), *results]
        labels = [*(["source"] if "source" in run.inputs else []), *params.labels]
        laid = lay((read_image(path, NO_LIMITS) for path in paths), labels=labels)
    else:
        laid = lay(results[0], count=params.count, caption=partial(caption, params))
    write_image(run.output / "sheet.png", laid, metadata=origin_metadata())
    return {"size_pixels": [laid.shape[1], laid.shape[0]]}


def caption(params: Params, share: float) -> str:
    """Return where the sliders stand after that share of a video."""
    return told({name: round(first + share * (last - first), 2) for name, (first, last) in params.sweeps.items()})


STAGE = Stage(
    name="sheet", version=2, inputs=("results*", "source?"), outputs=("sheet.png",), params=Params, function=sheet
)
