"""Stage `motion`: coefficients of the source for one segment, from a driver's coefficients and sliders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from facepipe.engine.remark import Remark, remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.face.model import FaceModel
from facepipe.face.units import WEIGHT as FACE_UNITS
from facepipe.face.units import face_model_of
from facepipe.motion.drawing import WEIGHT, interpolated_through, load_expression_vae, with_random_faces
from facepipe.motion.editing import apply_edit
from facepipe.motion.sliders import Edit
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import load_coefficients, save_coefficients
from facepipe.spaces.linear478.motion import openings
from facepipe.spaces.outline import outside_of
from facepipe.spaces.remarks import cut_remarks, cuts_of, held_remarks, leaving_remarks, rest_remarks, travel_remarks
from facepipe.spaces.retargeting import Retargeting
from facepipe.weights.loaded import load_once

NoFace = Literal["hold", "source", "cut"]


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    first_frame: int = 0
    frame_count: int = 0
    """Rows of the segment; 0 for all from `first_frame` on."""
    context_frames: int = 0
    """Additional rows before and after the segment, as far as the clip has them."""
    retargeting: Retargeting = field(default_factory=Retargeting)
    no_face: NoFace = "hold"
    edit: Edit = field(default_factory=Edit)
    """Sliders that are added to the motion."""


def motion(run: StageRun[Params]) -> Mapping[str, Any]:
    """Retarget, edit, and write the rows of the segment. Without a driver, the source's own rows are edited."""
    params = run.params
    source = load_coefficients(run.input("source"), space=None)
    target, model = source, face_model_of(run.weights)
    facts: dict[str, Any] = {}
    remarks: list[Remark] = []
    if "driving" in run.inputs:
        borrows = params.retargeting.keypoints == "source"
        driving = load_coefficients(run.input("driving"), space=source.space, as_driver=borrows)
        moved = source.space.retarget(source, driving, params.retargeting, model, no_face=params.no_face)
        target, travel = source.space.contain(moved, source, params.retargeting, model)
        facts = {"cuts": len(cuts_of(driving.shot)), "held": int((~driving.valid).sum()), "travel": round(travel, 2)}
        remarks = [*_about_driver(source, driving, params, model), *travel_remarks(travel)]
    if params.edit.draw:
        drawn = with_random_faces(source, params.edit.draw, load_once(load_expression_vae, run.weights[WEIGHT]))
        target = source.space.follow(drawn, source, model)
    if params.edit.travels:
        target = interpolated_through(source, target, params.edit)
    target = apply_edit(target, params.edit, model)
    if target.space.is_linear:
        outside = outside_of(target, model)
        facts["outside"] = int(outside.sum())
        remarks += leaving_remarks(outside)
    end = params.first_frame + params.frame_count if params.frame_count else len(target)
    segment = target.rows(max(0, params.first_frame - params.context_frames), end + params.context_frames)
    save_coefficients(segment, run.output / "motion.npz")
    run.advance(len(segment))
    return {"frames": len(segment), **facts, "remarks": remark_facts(remarks)}


def _about_driver(source: Coefficients, driving: Coefficients, params: Params, model: FaceModel) -> list[Remark]:
    """Return the remarks about a driver: cuts, frames without a face, no rest."""
    found = [
        *cut_remarks(driving.shot, driving.fps),
        *held_remarks(driving.valid, driving.fps, params.no_face),
    ]
    if params.retargeting.motion == "relative":
        mouths = None
        if source.space.is_linear:
            mouths = float(openings(source, model)[0, 0]), openings(driving, model)[:, 0]
        found += rest_remarks(source, driving, mouths)
    return found


STAGE = Stage(
    name="motion",
    version=5,
    inputs=("source", "driving?"),
    outputs=("motion.npz",),
    params=Params,
    function=motion,
    weights=("face-model", f"{WEIGHT}?", f"{FACE_UNITS}?"),
)
