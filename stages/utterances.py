"""Stage `utterances`: find every stretch of every face that makes a clip by the VoxCeleb rule, in a raw video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from facepipe.engine.stage import Stage, StageRun
from facepipe.face.clip_candidates import save_candidates
from facepipe.media.decode import decode_frames
from facepipe.media.limits import NO_LIMITS
from facepipe.media.probe import probe_video
from facepipe.weights.loaded import load_once

# Faces are looked for in pictures of this height, as the rule does.
LOOK_HEIGHT_PIXELS = 360


@dataclass(frozen=True)
class Params:
    """Settings of the stage."""

    fps: Fraction = Fraction(25)
    smallest_pixels: int = 256
    """How large the union of a clip's boxes must be."""


def utterances(run: StageRun[Params]) -> Mapping[str, Any]:
    """Follow all faces, or where annotations are given those that they mean, and write the spans that are accepted."""
    # Here, not above: a finished job must not wait for torch.
    from facepipe.checkpoint import THREADS
    from facepipe.face.detector import Detector
    from facepipe.face.landmarker import Landmarker
    from facepipe.face.multi_tracking import MultiFaceTracker
    from facepipe.face.utterances import read_utterance
    from facepipe.face.voxceleb import find_spans, is_annotated

    path, fps = run.input("media"), run.params.fps
    info = probe_video(path, NO_LIMITS)
    annotations = [read_utterance(text) for text in run.many("boxes")]
    height = min(info.height, LOOK_HEIGHT_PIXELS)
    frames = decode_frames(path, info=info, fps=fps, size=(max(1, round(info.width * height / info.height)), height))
    tracker = MultiFaceTracker(
        load_once(Detector, run.weights["detector"], threads=THREADS),
        load_once(Landmarker, run.weights["landmarker"], threads=THREADS),
    )
    tracks = tracker.follow(frames, run.advance, is_annotated(annotations, fps))
    for track in tracks:
        track.boxes = [box * (info.height / height) for box in track.boxes]
    found = find_spans(tracks, annotations, fps, (info.width, info.height), run.params.smallest_pixels)
    save_candidates(found, run.output / "spans.json")
    return {"spans": len(found.found), "rejected": dict(found.rejected), "faces": tracker.count}


STAGE = Stage(
    name="utterances",
    version=2,
    inputs=("media", "boxes*"),
    outputs=("spans.json",),
    params=Params,
    function=utterances,
    weights=("detector", "landmarker"),
)
