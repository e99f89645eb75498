"""Stage `assemble`: join coded segments and sound to one stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from facepipe.codec import Reader
from facepipe.coding.assembling import join, sound_format
from facepipe.engine.stage import Stage, StageRun
from facepipe.media.opus import format_of

STREAM = "result.fpv"


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    model_digest: str
    """32 hex digits that identify the weights of encoder and decoder."""


def assemble(run: StageRun[Params]) -> Mapping[str, Any]:
    """Write the stream."""
    segments, sound = run.many("segments"), run.input("sound") if "sound" in run.inputs else None
    # The last segment knows the plan, which those before the first face do not.
    with segments[-1].open("rb") as last:
        header = replace(Reader(last).header, model_digest=bytes.fromhex(run.params.model_digest))
    if sound and (found := format_of(sound)):
        header = replace(header, sound=sound_format(found))
    with (run.output / STREAM).open("wb") as out:
        writer = join(segments, header, sound, out)
    run.advance(writer.frame_count)
    seconds = float(writer.frame_count / header.fps)
    return {
        "frames": writer.frame_count,
        "stills": writer.key_count,
        "seconds_long": round(seconds, 3),
        "bytes": writer.offset,
        "kilobits_per_second": round(writer.offset * 8 / seconds / 1000, 3),
    }


STAGE = Stage(
    name="assemble",
    version=1,
    inputs=("segments*", "sound?"),
    outputs=(STREAM,),
    params=Params,
    function=assemble,
)
