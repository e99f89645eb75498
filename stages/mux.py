"""Stage `mux`: concatenate the segments without re-encoding, and add the sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facepipe import __version__
from facepipe.engine.remark import FACT, Remark, remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.errors import EncoderError
from facepipe.media.channels import ChannelMeter
from facepipe.media.encode import DEFAULT_QUALITY
from facepipe.media.limits import NO_LIMITS
from facepipe.media.mux import FitRule, concat_and_mux
from facepipe.media.origin import origin_metadata
from facepipe.media.sound import decode_sound, probe_sound
from facepipe.spaces.files import load_coefficients


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    fit: FitRule = "driver"
    quality: int = DEFAULT_QUALITY
    codec: str = "h264"
    container: str = "mp4"
    """mp4 or webm."""
    mute_segments: bool = False
    """Whether to remove the sound of segments."""
    track: int | None = None
    """Number of the sound track, from 1; None for the one that players choose."""
    program: str = f"facepipe {__version__}"
    """Program name in the result's metadata."""


def mux(run: StageRun[Params]) -> Mapping[str, Any]:
    """Write the finished video."""
    params = run.params
    facts = concat_and_mux(
        run.many("segments"),
        out=run.output / f"result.{params.container}",
        sound_from=run.input("sound") if "sound" in run.inputs else None,
        fit=params.fit,
        metadata=origin_metadata(),
        codec=params.codec,
        quality=params.quality,
        mute_segments=params.mute_segments,
        track=params.track,
        kept_frames=_valid_spans(run.input("kept")) if "kept" in run.inputs else None,
    )
    run.advance(facts.frame_count)
    return {
        "frames": facts.frame_count,
        "fps": str(facts.fps),
        "seconds_long": round(facts.duration_seconds, 3),
        "sound": facts.sound,
        "held_frames": facts.held_frames,
        "cut_frames": facts.cut_frames,
        FACT: remark_facts([*facts.remarks, *(_heard(run) if facts.sound != "none" else ())]),
    }


def _heard(run: StageRun[Params]) -> tuple[Remark, ...]:
    """Return what is remarkable about the whole sound as a listener hears it."""
    path, meter = run.input("sound"), ChannelMeter()
    info = probe_sound(path, NO_LIMITS, track=run.params.track)
    try:
        for _ in meter.watch(decode_sound(path, info=info, changes=meter.changes)):
            pass
    except EncoderError:
        return (Remark("undecodable-sound", "none of the sound can be decoded; it is copied as it is"),)
    return meter.remarks


def _valid_spans(path: Path) -> list[tuple[int, int]]:
    """Return the half-open ranges of the driver's frames that show a face."""
    valid = np.concatenate([[False], load_coefficients(path, space=None).valid, [False]])
    edges = np.flatnonzero(np.diff(valid.astype(np.int8)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


# `kept` holds the coefficients of a driver whose frames without a face were cut; their sound is cut too. The name is
# part of the fingerprint, so it stays.
STAGE = Stage(
    name="mux",
    version=4,
    inputs=("segments*", "sound?", "kept?"),
    outputs=("result.mp4?", "result.webm?"),
    params=Params,
    function=mux,
)
