"""Stage `spans`: track the face of a clip and choose the square that the clip is cut to, for a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from facepipe.engine.remark import remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.errors import NoFaceError
from facepipe.face.clip_candidates import ClipCandidate, ClipCandidates, save_candidates
from facepipe.face.cropping import whole_picture
from facepipe.face.spans import whole_span
from facepipe.face.track import TrackFile, save_track
from facepipe.media.decode import decode_frames
from facepipe.media.limits import NO_LIMITS
from facepipe.media.probe import probe_video
from facepipe.weights.loaded import load_once


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    rule: str = "head"
    """head: the whole clip, cut as `facepipe crop` does; union: cut around the union of the face's boxes."""
    fps: Fraction = Fraction(25)


def spans(run: StageRun[Params]) -> Mapping[str, Any]:
    """Write the span and the track of its face, in pixels of the video."""
    # Imported here, so that a finished job does not wait for torch.
    from facepipe.checkpoint import THREADS
    from facepipe.face.detector import Detector
    from facepipe.face.landmarker import Landmarker
    from facepipe.face.remarks import clip_remarks_on
    from facepipe.face.tracking import Tracker
    from facepipe.face.voxceleb import union_span

    path, fps = run.input("media"), run.params.fps
    info = probe_video(path, NO_LIMITS)
    tracker = Tracker(
        load_once(Detector, run.weights["detector"], threads=THREADS),
        load_once(Landmarker, run.weights["landmarker"], threads=THREADS),
        fps=float(fps),
    )
    track = tracker.track(decode_frames(path, info=info, fps=fps), run.advance)
    if not track.valid.any():
        raise NoFaceError(f"{path}: no face was found in {len(track.valid)} frames; remove the clip from the folder")
    size = (info.width, info.height)
    span = (union_span if run.params.rule == "union" else whole_span)(track, size)
    save_candidates(ClipCandidates(len(track.valid), [ClipCandidate(span)]), run.output / "spans.json")
    save_track(TrackFile(track, fps, whole_picture(min(size)), size), run.output / "track.npz")
    remarks = remark_facts([*info.remarks, *clip_remarks_on(track, fps)])
    return {"frames": len(track.valid), "spans": 1, "faces": track.max_faces, "remarks": remarks}


STAGE = Stage(
    name="spans",
    version=5,
    inputs=("media",),
    outputs=("spans.json", "track.npz?"),
    params=Params,
    function=spans,
    weights=("detector", "landmarker"),
)
