"""Stage `opus`: the sound of a clip as Opus packets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facepipe.engine.remark import Remark, remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.media.limits import NO_LIMITS
from facepipe.media.opus import copy_opus, encode_opus, format_of
from facepipe.media.sound import probe_sound

SOUND = "sound.ogg"


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    kilobits_per_second: float = 12.0
    copies: bool = False
    """Whether Opus packets of the clip are taken as they are."""
    track: int | None = None


def opus(run: StageRun[Params]) -> Mapping[str, Any]:
    """Copy or encode the sound. Packets that cannot be copied are encoded, with a remark."""
    params, out = run.params, run.output / SOUND
    sound = probe_sound(run.input("media"), NO_LIMITS, track=params.track)
    remarks = list(sound.remarks)
    copied = params.copies and sound.codec == "opus" and not sound.lost_seconds
    if copied:
        copy_opus(sound, out)
        copied = format_of(out) is not None
    if not copied:
        if params.copies:
            text = f"sound is {sound.codec}, and an .fpv holds Opus packets of one length; it is encoded as Opus"
            remarks.append(Remark("sound-encoded", text))
        encode_opus(sound, out, kilobits_per_second=params.kilobits_per_second)
    return {"sound": "copied" if copied else "encoded", "remarks": remark_facts(remarks)}


STAGE = Stage(name="opus", version=1, inputs=("media",), outputs=(SOUND,), params=Params, function=opus)
