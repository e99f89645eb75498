"""Stage `utterances`: find the spans of all faces in a raw video that are clips by the VoxCeleb rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from facepipe.engine.remark import remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.errors import NoFaceError
from facepipe.face.clip_candidates import save_candidates
from facepipe.media.decode import decode_frames
from facepipe.media.limits import NO_LIMITS
from facepipe.media.probe import probe_video
from facepipe.weights.loaded import load_once

# Faces are detected in pictures of this height, as in the rule.
DETECTION_HEIGHT_PIXELS = 360


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    fps: Fraction = Fraction(25)
    smallest_pixels: int = 256
    """Minimum side of the union of a clip's boxes, in pixels."""


def utterances(run: StageRun[Params]) -> Mapping[str, Any]:
    """Track all faces, or those of the given annotations, and write the accepted spans."""
    # Imported here, so that a finished job does not wait for torch.
    from facepipe.checkpoint import THREADS
    from facepipe.face.detector import Detector
    from facepipe.face.landmarker import Landmarker
    from facepipe.face.multi_tracking import MultiFaceTracker
    from facepipe.face.remarks import rejection_remarks
    from facepipe.face.utterances import read_utterance
    from facepipe.face.voxceleb import find_spans, is_annotated

    path, fps = run.input("media"), run.params.fps
    info = probe_video(path, NO_LIMITS)
    annotations = [read_utterance(text) for text in run.many("boxes")]
    height = min(info.height, DETECTION_HEIGHT_PIXELS)
    frames = decode_frames(path, info=info, fps=fps, size=(max(1, round(info.width * height / info.height)), height))
    tracker = MultiFaceTracker(
        load_once(Detector, run.weights["detector"], threads=THREADS),
        load_once(Landmarker, run.weights["landmarker"], threads=THREADS),
    )
    tracks = tracker.follow(frames, run.advance, is_annotated(annotations, fps))
    if not tracks:
        where = "the annotated frames" if annotations else "any frame"
        raise NoFaceError(f"{path}: no face was found in {where}; remove the video from the folder")
    for track in tracks:
        track.boxes = [box * (info.height / height) for box in track.boxes]
    found = find_spans(tracks, annotations, fps, (info.width, info.height), run.params.smallest_pixels)
    save_candidates(found, run.output / "spans.json")
    remarks = remark_facts([*info.remarks, *rejection_remarks(len(found.found), found.rejected)])
    rejected = dict(found.rejected)
    return {"spans": len(found.found), "rejected": rejected, "faces": tracker.count, "remarks": remarks}


STAGE = Stage(
    name="utterances",
    version=5,
    inputs=("media", "boxes*"),
    outputs=("spans.json",),
    params=Params,
    function=utterances,
    weights=("detector", "landmarker"),
)
