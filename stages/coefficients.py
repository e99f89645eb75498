"""Stage `coefficients`: fit the face model to a track; in the space `bfm`, estimate coefficients from the frames.

In the space `imf_tokens` it does both: the frames give the tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.remark import remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.errors import NoFaceError
from facepipe.face.bfm.estimation import FRAME_PIXELS, estimate
from facepipe.face.bfm.model import load_bfm
from facepipe.face.cropping import sample, transform_points
from facepipe.face.fitting import fit
from facepipe.face.model import load_face_model
from facepipe.face.portrait import portrait_remarks
from facepipe.face.track import TrackFile, load_track
from facepipe.face.units import face_model_of
from facepipe.media.decode import decode_frames
from facepipe.media.files import kind_of
from facepipe.media.grid import turned
from facepipe.media.image import read_image
from facepipe.media.limits import NO_LIMITS
from facepipe.media.probe import probe_video
from facepipe.spaces import SPACES, linear478
from facepipe.spaces.bfm.coefficients import BfmCoefficients, from_estimate
from facepipe.spaces.coefficients import Coefficients, from_fit
from facepipe.spaces.files import save_coefficients
from facepipe.spaces.gaps import short_gap, spans
from facepipe.spaces.imf_tokens.coefficients import TOKEN_SIZE, TokenCoefficients, with_tokens
from facepipe.spaces.keypoints68.coefficients import with_keypoints
from facepipe.spaces.remarks import cut_remarks, cuts_of
from facepipe.spaces.smoothing import Smoothing, jitter, smoothed


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    smoothing: str
    """none, one-euro or savitzky-golay."""
    space: str = linear478.SPACE.name
    portrait: bool = False
    """Whether the track is that of a portrait to animate: one that lacks much of the face is refused."""


def coefficients(run: StageRun[Params]) -> Mapping[str, Any]:
    """Fit identity, poses and expressions, smooth them if set, and write the coefficient file."""
    model, file = face_model_of(run.weights), load_track(run.input("track"))
    valid = file.track.valid
    fitted = fit(model, file.track.points, valid)
    about: dict[str, Any] = {
        "fps": file.fps,
        "crop": file.crop,
        "picture_size": file.picture_size,
        "shot": file.track.shots,
    }
    raw = from_fit(fitted, valid, **about)
    if "keypoints" in SPACES[run.params.space].arrays:
        # The landmarks themselves, because a fit smooths what is special in a face.
        seen = file.crop.normalised(_sixty_eight(run, file)[..., :2].astype(float))
        raw = with_keypoints(raw, 2 * seen - 1)
    if "tokens" in SPACES[run.params.space].arrays:
        raw = _with_tokens(run, file, raw)
    else:
        run.advance(len(raw))
    result = smoothed(raw, cast("Smoothing", run.params.smoothing))
    if "weights" in SPACES[run.params.space].arrays:
        # Imported here, so that a finished job does not wait for numba.
        from facepipe.spaces.arkit52.fitting import fitted as fitted_units
        from facepipe.spaces.arkit52.fitting import open_eyes

        # Of smooth expressions: weights are never negative, so noise in them would not average out.
        result = fitted_units(result, model, open_eyes(result, model))
    save_coefficients(result, run.output / "coefficients.npz")
    facts: dict[str, Any] = {
        "frames": len(result),
        "frames_without_face": int((~result.valid).sum()),
        "frames_distrusted": int((valid & ~fitted.trusted).sum()),
        "reprojection_error": round(float(fitted.residual[valid].mean()), 5),
    }
    return facts | _motion_facts(run, file, raw, result)


def bfm_coefficients(run: StageRun[Params]) -> Mapping[str, Any]:
    """Align the face in every frame, estimate coefficients, smooth them if set, and write the coefficient file."""
    # Imported here, so that a finished job does not wait for torch.
    from facepipe.face.bfm.network import Regressor

    file, path = load_track(run.input("track")), run.input("media")
    points = transform_points(_sixty_eight(run, file)[..., :2].astype(float), file.crop.matrix(FRAME_PIXELS))
    found = estimate(
        Regressor(run.weights["deep3d"]),
        _frames(path, file, FRAME_PIXELS),
        points,
        file.track.valid,
        model=load_bfm(run.weights["bfm"]) if "bfm" in run.weights else None,
        advance=run.advance,
    )
    about: dict[str, Any] = {
        "fps": file.fps,
        "crop": file.crop,
        "picture_size": file.picture_size,
        "shot": file.track.shots,
    }
    raw = from_estimate(found, **about)
    result = cast("BfmCoefficients", smoothed(raw, cast("Smoothing", run.params.smoothing)))
    save_coefficients(result, run.output / "coefficients.npz")
    facts: dict[str, Any] = {
        "frames": len(result),
        "frames_without_face": int((~found.valid).sum()),
    }
    if "bfm" in run.weights:
        facts["reprojection_error"] = round(float(found.residual[found.valid].mean()), 5)
    return facts | _motion_facts(run, file, raw, result)


def _motion_facts(run: StageRun[Params], file: TrackFile, raw: Coefficients, result: Coefficients) -> dict[str, Any]:
    """Return the facts about motion before and after smoothing, with the remarks. Raises NoFaceError."""
    remarks = cut_remarks(raw.shot, raw.fps)
    if run.params.portrait:
        # In both spaces yaw is the second angle, and only its size matters.
        remarks += portrait_remarks(file.track.points[0].astype(np.float64), raw.angles[0], file.picture_size)
    facts: dict[str, Any] = {
        "cuts": len(cuts_of(raw.shot)),
        "held": int((~raw.valid).sum()),
        "jitter": _jitter(raw),
        "remarks": remark_facts(remarks),
    }
    if run.params.smoothing != "none":
        facts["jitter_smoothed"] = _jitter(result)
    return facts


def _sixty_eight(run: StageRun[Params], file: TrackFile) -> NDArray[np.float32]:
    """Return (T, 68, 3) points: the landmarker's if it has them, else those of the mesh."""
    if file.track.sixty_eight is not None:
        return file.track.sixty_eight
    return file.track.points[:, load_face_model(run.weights["face-model"]).sixty_eight]


def _with_tokens(run: StageRun[Params], file: TrackFile, raw: Coefficients) -> TokenCoefficients:
    """Return coefficients with the tokens of the crops of all frames that show a face.

    Frames at the end that cannot be decoded count as frames without a face. Raises NoFaceError if there are no others.
    """
    # Imported here, so that a finished job does not wait for torch.
    from facepipe.renderers.imf.tokens import TokenEncoder

    encoder = TokenEncoder(run.weights["network"])
    tokens, valid = np.zeros((len(raw), TOKEN_SIZE)), np.zeros(len(raw), bool)
    there = np.flatnonzero(raw.valid)
    pictures = compress(_frames(run.input("media"), file, encoder.side_pixels), raw.valid)
    for row, token in zip(there, encoder.tokens(pictures), strict=False):
        tokens[row], valid[row] = token, True
        run.advance(1)
    run.advance(len(raw) - int(valid.sum()))
    if not valid.any():
        raise NoFaceError("no frame shows a face. Use a clip with a clearly visible face.")
    return with_tokens(replace(raw, valid=valid), tokens, encoder.network, editable=encoder.editable)


def _frames(path: Path, file: TrackFile, side: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the crop of every frame, (side, side, 3)."""
    if kind_of(path) == "image":
        yield sample(turned(read_image(path, NO_LIMITS), file.turned_degrees), file.crop, side)
        return
    box, size = file.crop.box(), (side, side)
    info = probe_video(path, NO_LIMITS).turned(file.turned_degrees)
    yield from decode_frames(path, info=info, crop=box, size=size)


def _jitter(rows: Coefficients) -> dict[str, float]:
    parts = {"expression": rows.expression, "angles_radians": rows.angles, "translation": rows.translation}
    runs = spans(rows.valid, rows.shot, short_gap(float(rows.fps)))
    return {name: round(jitter(part, runs), 6) for name, part in parts.items()}


STAGE = Stage(
    name="coefficients",
    version=4,
    inputs=("track",),
    outputs=("coefficients.npz",),
    params=Params,
    function=coefficients,
    weights=("face-model",),
)

# The stage in the space `arkit52`.
UNITS_STAGE = replace(STAGE, weights=("face-model", "face-units"))

# The stage in the space `imf_tokens`. The network is that of the job's renderer.
TOKENS_STAGE = replace(STAGE, inputs=("track", "media"), weights=("face-model", "network"))

# The stage in the space `bfm`. The face model selects 68 of a track's points if the landmarker has no 68 of its own.
# The weight `bfm` is optional: it is only used to measure the reprojection error.
BFM_STAGE = Stage(
    name="coefficients",
    version=4,
    inputs=("track", "media"),
    outputs=("coefficients.npz",),
    params=Params,
    function=bfm_coefficients,
    weights=("deep3d", "face-model", "bfm?"),
)
