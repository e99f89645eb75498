"""Stage `blendshapes`: motion as weights of 52 face units, as a motion file and as a take of Live Link Face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facepipe.engine.remark import remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.face.units import WEIGHT as FACE_UNITS
from facepipe.face.units import face_model_of
from facepipe.spaces.arkit52.live_link import write_take
from facepipe.spaces.files import load_coefficients, save_coefficients
from facepipe.spaces.remarks import cut_remarks, held_remarks


@dataclass(frozen=True)
class Params:
    """Parameters of the stage: none."""


def blendshapes(run: StageRun[Params]) -> Mapping[str, Any]:
    """Fit the face units to motion in another linear space, and write both files."""
    # Imported here, so that a finished job does not wait for numba.
    from facepipe.spaces.arkit52.motion import of

    motion = load_coefficients(run.input("motion"))
    made = of(motion, face_model_of(run.weights))
    save_coefficients(made, run.output / "blendshapes.npz")
    write_take(made, run.output / "blendshapes.csv")
    run.advance(len(made))
    remarks = [*cut_remarks(made.shot, made.fps), *held_remarks(made.valid, made.fps, "hold")]
    return {"frames": len(made), "held": int((~made.valid).sum()), "remarks": remark_facts(remarks)}


STAGE = Stage(
    name="blendshapes",
    version=1,
    inputs=("motion",),
    outputs=("blendshapes.npz", "blendshapes.csv"),
    params=Params,
    function=blendshapes,
    weights=("face-model", FACE_UNITS),
)
