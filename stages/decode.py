"""Stage `decode`: draw the frames of a stream, and mux them with its sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facepipe.coding.models import FACES
from facepipe.engine.remark import FACT, remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.media.encode import DEFAULT_QUALITY


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    first_frame: int = 0
    frame_count: int = 0
    """0 for all frames that follow."""
    lost: str = "interpolate"
    """Lost frames: interpolate, or hold."""
    quality: int = DEFAULT_QUALITY
    codec: str = "h264"
    container: str = "mp4"


def decode(run: StageRun[Params]) -> Mapping[str, Any]:
    """Write the video."""
    # Imported here, so that a finished job does not wait for torch.
    from facepipe.coding.playing import write_video

    params = run.params
    with run.input("stream").open("rb") as stream:
        facts, remarks = write_video(
            stream,
            run.weights,
            run.output / f"result.{params.container}",
            first_frame=params.first_frame,
            frame_count=params.frame_count or None,
            lost=params.lost,
            quality=params.quality,
            codec=params.codec,
            advance=run.advance,
        )
    return {**facts, FACT: remark_facts(remarks)}


STAGE = Stage(
    name="decode",
    version=1,
    inputs=("stream",),
    outputs=("result.mp4?", "result.webm?"),
    params=Params,
    function=decode,
    weights=(*FACES, "pirender-compact", "codec-coefficients?"),
)
