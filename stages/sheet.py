"""Stage `sheet`: a contact sheet of a finished result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facepipe.engine.stage import Stage, StageRun
from facepipe.media.contact import contact_sheet
from facepipe.media.files import kind_of
from facepipe.media.image import read_image, write_image
from facepipe.media.limits import NO_LIMITS
from facepipe.media.origin import origin_metadata


@dataclass(frozen=True)
class Params:
    """Settings of the stage."""

    columns: int = 4
    count: int = 12
    """Frames that are shown of a video."""
    tile_height: int = 256


def sheet(run: StageRun[Params]) -> Mapping[str, Any]:
    """Lay out frames of a video, with their times; a picture stands beside its source, where given."""
    params, result = run.params, run.input("result")
    if kind_of(result) == "image":
        names = [name for name in ("source", "result") if name in run.inputs]
        pictures = [read_image(run.input(name), NO_LIMITS) for name in names]
        laid = contact_sheet(pictures, labels=names, tile_height=params.tile_height)
    else:
        laid = contact_sheet(result, columns=params.columns, count=params.count, tile_height=params.tile_height)
    write_image(run.output / "sheet.png", laid, metadata=origin_metadata())
    return {"size_pixels": [laid.shape[1], laid.shape[0]]}


STAGE = Stage(
    name="sheet", version=1, inputs=("result", "source?"), outputs=("sheet.png",), params=Params, function=sheet
)
