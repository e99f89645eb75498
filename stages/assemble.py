"""Stage `assemble`: join coded segments and sound to one stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from facepipe.codec import Reader
from facepipe.coding.assembling import join, sound_format
from facepipe.coding.summary import summary_of
from facepipe.engine.remark import Remark, remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.media.opus import format_of

STREAM = "result.fpv"
# Rates up to this multiple of the wanted one are not worth a remark.
OVER = 1.1


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    model_digest: str
    """32 hex digits that identify the weights of encoder and decoder."""
    kilobits_per_second: float = 0.0
    """The wanted rate of the pictures, for a remark if it was not reached; 0 for none."""


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
    with (run.output / STREAM).open("rb") as out:
        summary = summary_of(out)
    rate = summary.kilobits_per_second(summary.total_bytes - summary.sound_bytes)
    return {
        "frames": writer.frame_count,
        "stills": writer.key_count,
        "seconds_long": round(summary.seconds, 3),
        "bytes": writer.offset,
        "kilobits_per_second": summary.kilobits_per_second(writer.offset),
        "kilobits_per_second_of_pictures": rate,
        "remarks": remark_facts(_missed(run.params.kilobits_per_second, rate, writer.key_count)),
    }


def _missed(wanted: float, rate: float, stills: int) -> list[Remark]:
    """Return a remark on a rate that is far above the wanted one: stills and packets have a least size."""
    if not wanted or rate <= OVER * wanted:
        return []
    text = (
        f"pictures have {rate:g} kbit/s, not {wanted:g}, with {stills} key frame{'s' * (stills != 1)}; a longer clip, "
        "longer --key-seconds or a lower --size needs less"
    )
    return [Remark("rate-missed", text)]


STAGE = Stage(
    name="assemble",
    version=1,
    inputs=("segments*", "sound?"),
    outputs=(STREAM,),
    params=Params,
    function=assemble,
)
