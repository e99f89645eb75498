"""Stage `speech`: motion of the source's face, generated from a sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from facepipe.engine.remark import remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.face.units import WEIGHT as FACE_UNITS
from facepipe.face.units import face_model_of
from facepipe.motion.features import load_features
from facepipe.spaces.arkit52.coefficients import resting
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import load_coefficients, save_coefficients
from facepipe.spaces.remarks import travel_remarks
from facepipe.spaces.retargeting import Retargeting
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from facepipe.motion.synthesis import SamplingOptions


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    sampling: SamplingOptions
    fps: str = "25"
    frame_count: int = 1


def speech(run: StageRun[Params]) -> Mapping[str, Any]:
    """Sample the motion for the whole sound, and write it as coefficients of the source."""
    # Imported here, so that a finished job does not wait for torch.
    from facepipe.checkpoint import THREADS
    from facepipe.motion.audio_model_file import load_audio_model
    from facepipe.motion.synthesis import synthesise

    params = run.params
    model, source = face_model_of(run.weights), _source(run)
    head = load_coefficients(run.input("head")) if "head" in run.inputs else None
    sampled = synthesise(
        model,
        load_once(load_audio_model, run.weights["audio"], threads=THREADS),
        source,
        load_features(run.input("features")),
        params.sampling,
        fps=Fraction(params.fps),
        count=params.frame_count,
        head=head,
    )
    sampled = source.space.follow(sampled, source, model)
    travel = 0.0
    if head is not None:
        sampled, travel = source.space.contain(sampled, source, Retargeting(), model)
    save_coefficients(sampled, run.output / "motion.npz")
    run.advance(len(sampled))
    return {"frames": len(sampled), "travel": round(travel, 2), "remarks": remark_facts(travel_remarks(travel))}


def _source(run: StageRun[Params]) -> Coefficients:
    """Return the source; without one, the mean face at rest in the space `arkit52`."""
    return load_coefficients(run.input("source")) if "source" in run.inputs else resting(1)


STAGE = Stage(
    name="speech",
    version=3,
    inputs=("features", "source?", "head?"),
    outputs=("motion.npz",),
    params=Params,
    function=speech,
    weights=("face-model", "audio", f"{FACE_UNITS}?"),
)
