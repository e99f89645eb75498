"""Stage `coefficients`: fit the face model to a track."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from facepipe.engine.stage import Stage, StageRun
from facepipe.face.coefficients import Coefficients, from_fit, save_coefficients
from facepipe.face.fitting import fit
from facepipe.face.model import load_face_model
from facepipe.face.track import load_track
from facepipe.motion.smoothing import Smoothing, jitter, smooth
from facepipe.weights.loaded import kept


@dataclass(frozen=True)
class Params:
    """Settings of the stage."""

    smoothing: str = "none"
    """none, one-euro or savitzky-golay."""


def coefficients(run: StageRun[Params]) -> Mapping[str, Any]:
    """Fit identity, poses and expressions, smooth if asked, and write the coefficient file."""
    model, file = kept(load_face_model, run.weights["face-model"]), load_track(run.input("track"))
    valid = file.track.valid
    fitted = fit(model, file.track.points, valid)
    raw = from_fit(fitted, valid, fps=file.fps, crop=file.crop, picture_size=file.picture_size)
    result = _smoothed(raw, cast("Smoothing", run.params.smoothing))
    save_coefficients(result, run.output / "coefficients.npz")
    run.advance(len(result))
    facts: dict[str, Any] = {
        "frames": len(result),
        "frames_without_face": int((~valid).sum()),
        "frames_distrusted": int((valid & ~fitted.trusted).sum()),
        "reprojection_error": round(float(fitted.residual[valid].mean()), 5),
        "jitter": _jitter(raw),
    }
    if run.params.smoothing != "none":
        facts["jitter_smoothed"] = _jitter(result)
    return facts


def _smoothed(raw: Coefficients, method: Smoothing) -> Coefficients:
    fps = float(raw.fps)
    # Angles of consecutive frames never jump by a turn here, because a tracked head stays within a quarter turn.
    return raw.with_motion(
        *(smooth(np.asarray(rows), method, fps) for rows in (raw.expression, raw.angles, raw.translation))
    )


def _jitter(rows: Coefficients) -> dict[str, float]:
    parts = {"expression": rows.expression, "angles_radians": rows.angles, "translation": rows.translation}
    return {name: round(jitter(part), 6) for name, part in parts.items()}


STAGE = Stage(
    name="coefficients",
    version=1,
    inputs=("track",),
    outputs=("coefficients.npz",),
    params=Params,
    function=coefficients,
    weights=("face-model",),
)
