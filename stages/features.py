"""Stage `features`: what of a sound moves a face, one column for each frame of video."""

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
    """Settings of the stage."""

    fps: str = "25"
    """Columns a second, as "25" or "30000/1001"."""
    mfcc: bool = False
    """Whether to write MFCC too."""


def features(run: StageRun[Params]) -> Mapping[str, Any]:
    """Decode the sound, whatever holds it, and write its features."""
    fps = Fraction(run.params.fps)
    made = features_of(decode_sound(run.input("sound")), fps, mfcc=run.params.mfcc)
    save_features(made, run.output / "features.npz")
    run.advance(len(made))
    return {"frames": len(made), "level_db": made.level_db, "silent": made.silent, "sample_hertz": SAMPLE_HERTZ}


STAGE = Stage(
    name="features", version=2, inputs=("sound",), outputs=("features.npz",), params=Params, function=features
)
