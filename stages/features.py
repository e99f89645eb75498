"""Stage `features`: audio features for speech animation, one column per video frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from facepipe.engine.remark import FACT, remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.media.channels import SILENT, ChannelMeter
from facepipe.media.limits import NO_LIMITS
from facepipe.media.sound import SAMPLE_HERTZ, decode_sound, probe_sound
from facepipe.motion.features import features_of, save_features


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    fps: str = "25"
    """Columns per second, as "25" or "30000/1001"."""
    mfcc: bool = False
    """Whether to also write MFCC."""
    track: int | None = None
    """Number of the sound track, from 1; None for the one that players choose."""


def features(run: StageRun[Params]) -> Mapping[str, Any]:
    """Decode the sound of an audio or video file and write its features."""
    path, meter = run.input("sound"), ChannelMeter()
    info = probe_sound(path, NO_LIMITS, track=run.params.track)
    blocks = meter.watch(decode_sound(path, info=info, changes=meter.changes))
    result = features_of(blocks, Fraction(run.params.fps), mfcc=run.params.mfcc)
    save_features(result, run.output / "features.npz")
    run.advance(len(result))
    # Too quiet for speech as a whole, although a click may be loud.
    heard = dict.fromkeys([*((SILENT,) if result.silent else ()), *meter.remarks])
    return {
        "frames": len(result),
        "level_db": result.level_db,
        "silent": result.silent,
        "sample_hertz": SAMPLE_HERTZ,
        FACT: remark_facts([*info.remarks, *heard]),
    }


STAGE = Stage(
    name="features", version=5, inputs=("sound",), outputs=("features.npz",), params=Params, function=features
)
