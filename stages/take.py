"""Stage `take`: motion in the space `arkit52` from a take of Live Link Face."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facepipe.engine.remark import remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.face.units import WEIGHT as FACE_UNITS
from facepipe.face.units import face_model_of
from facepipe.spaces.arkit52.live_link import read_take
from facepipe.spaces.files import save_coefficients
from facepipe.spaces.gaps import filled


@dataclass(frozen=True)
class Params:
    """Parameters of the stage: none."""


def take(run: StageRun[Params]) -> Mapping[str, Any]:
    """Read a take, and write its motion with the expressions of the face model that explain it."""
    # Imported here, so that a finished job does not wait for numba.
    from facepipe.spaces.arkit52.fitting import explained

    found = read_take(run.input("take"))
    made = filled(explained(found.coefficients, face_model_of(run.weights)))
    save_coefficients(made, run.output / "coefficients.npz")
    run.advance(len(made))
    missing = int((~made.valid).sum())
    return {"frames": len(made), "frames_without_face": missing, "remarks": remark_facts(found.remarks)}


STAGE = Stage(
    name="take",
    version=1,
    inputs=("take",),
    outputs=("coefficients.npz",),
    params=Params,
    function=take,
    weights=("face-model", FACE_UNITS),
)
