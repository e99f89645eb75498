"""Stage `encode`: code one segment of a clip as stills and tokens, from the place at which the one before ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from facepipe.coding.models import STAGE_WEIGHTS
from facepipe.engine.remark import remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.errors import NoFaceError
from facepipe.media.damage import Damage
from facepipe.media.decode import decode_frames
from facepipe.media.limits import NO_LIMITS
from facepipe.media.probe import probe_video

SEGMENT, STATE = "segment.fpv", "state.npz"


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    fps: str
    """Frames per second of the clip, such as "30000/1001"."""
    first_frame: int = 0
    frame_count: int = 0
    """0 for all frames that follow."""
    size_pixels: int = 256
    face: str = "largest"
    no_face: str = "hold"
    bits_per_second: float = 5000.0
    """Of pictures, without sound."""
    tokens: str = "coefficients"
    corrects: bool = True
    """Whether tokens are corrected by what the drawn frames show."""


def encode(run: StageRun[Params]) -> Mapping[str, Any]:
    """Write the coded frames as a stream of their own, and the state for the next segment."""
    # Imported here, so that a finished job does not wait for torch.
    from facepipe.coding.segment import SegmentCoder, load_state, save_state

    params, path = run.params, run.input("media")
    info, damage = probe_video(path, NO_LIMITS), Damage()
    coder = SegmentCoder(
        run.weights,
        kind=params.tokens,
        fps=Fraction(params.fps),
        size_pixels=params.size_pixels,
        face=params.face,
        bits_per_second=params.bits_per_second,
        corrects=params.corrects,
    )
    if "before" in run.inputs:
        load_state(coder, run.input("before"))
    frames = decode_frames(
        path,
        info=info,
        start_frame=params.first_frame,
        frame_count=params.frame_count or None,
        damage=damage,
    )
    view = coder.viewer.view(frames, run.advance)
    missing = int((~view.valid).sum())
    if missing and params.no_face == "fail":
        first = params.first_frame + int(view.valid.argmin())
        raise NoFaceError(
            f"{path}: {missing} of {len(view)} frames from {float(params.first_frame / coder.fps):.2f} s on show no "
            f"face, the first at {float(first / coder.fps):.2f} s, and --no-face is fail. Use --no-face hold."
        )
    with (run.output / SEGMENT).open("wb") as out:
        facts = coder.write(view, out)
    save_state(coder, run.output / STATE)
    remarks = [*(info.remarks if not params.first_frame else []), *damage.remarks(path, len(view))]
    return {**facts, "frames_without_face": missing, "remarks": remark_facts(remarks)}


STAGE = Stage(
    name="encode",
    version=2,
    inputs=("media", "before?"),
    outputs=(SEGMENT, STATE),
    params=Params,
    function=encode,
    weights=STAGE_WEIGHTS,
)
