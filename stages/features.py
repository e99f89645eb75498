"""Stage `features`: audio features for speech animation, one column per video frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from facepipe.engine.stage import Stage, StageRun
from facepipe.media.sound import SAMPLE_HERTZ, decode_sound
from facepipe.motion.features import features_of, save_features


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    fps: str = "25"
    """Columns per second, as "25" or "30000/1001"."""
    mfcc: bool = False
    """Whether to also write MFCC."""


def features(run: StageRun[Params]) -> Mapping[str, Any]:
    """Decode the sound of an audio or video file and write its features."""
    fps = Fraction(run.params.fps)
    result = features_of(decode_sound(run.input("sound")), fps, mfcc=run.params.mfcc)
    save_features(result, run.output / "features.npz")
    run.advance(len(result))
    return {"frames": len(result), "level_db": result.level_db, "silent": result.silent, "sample_hertz": SAMPLE_HERTZ}


STAGE = Stage(
    name="features", version=3, inputs=("sound",), outputs=("features.npz",), params=Params, function=features
)
