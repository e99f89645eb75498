"""Stage `decode`: draw the frames of a stream, and mux them with its sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facepipe.coding.models import STAGE_WEIGHTS
from facepipe.engine.remark import FACT, remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.errors import InputError
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
    from facepipe.coding.playing import Player, key_before, write_video

    params, path = run.params, run.input("stream")
    first = params.first_frame
    try:
        with path.open("rb") as stream:
            player = Player.open(stream, run.weights, lost=params.lost, at=key_before(stream, first))
            facts, remarks = write_video(
                player,
                run.output / f"result.{params.container}",
                first=first,
                end=first + params.frame_count if params.frame_count else None,
                quality=params.quality,
                codec=params.codec,
                advance=run.advance,
            )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    if not facts["complete"]:
        raise InputError(
            f"{path}: is cut off after frame {facts['frames']}; get it again, or draw what is there with `facepipe "
            "decode - -o out.mp4 < FILE`"
        )
    return {**facts, FACT: remark_facts(remarks)}


STAGE = Stage(
    name="decode",
    version=1,
    inputs=("stream",),
    outputs=("result.mp4?", "result.webm?"),
    params=Params,
    function=decode,
    weights=STAGE_WEIGHTS,
)
