"""Stage `report`: a picture of sound, mouth and eye opening, head rotation, and frames of the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.stage import Stage, StageRun
from facepipe.face.expression_probes import probes_of
from facepipe.face.model import load_face_model
from facepipe.media.contact import contact_sheet
from facepipe.media.curves import Panel, draw_curves
from facepipe.media.image import write_image
from facepipe.media.limits import NO_LIMITS
from facepipe.media.origin import origin_metadata
from facepipe.media.sound import SAMPLE_HERTZ, decode_sound, probe_sound
from facepipe.spaces.files import load_coefficients

Floats = NDArray[np.floating]

# A waveform is plotted as minimum and maximum of blocks of this many samples, 10 ms.
WAVE_SAMPLES = SAMPLE_HERTZ // 100
MAX_POINTS = 2000


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    columns: int = 6
    count: int = 12
    """Number of frames of the result."""
    tile_height: int = 164
    track: int | None = None
    """Number of the sound track, from 1; None for the one that players choose."""


def report(run: StageRun[Params]) -> Mapping[str, Any]:
    """Plot the curves, with a contact sheet below them."""
    params, motion = run.params, load_coefficients(run.input("motion"))
    probes = probes_of(load_face_model(run.weights["face-model"]), motion.identity)
    lids = -probes.lids_down(motion.expression).mean(1)
    rotation = np.degrees(motion.angles - motion.angles[:1])
    panels = [
        Panel("sound", _waveform(run.input("sound"), params.track), filled=True),
        Panel("outer-eye distances", [("mouth opening", probes.mouth_open(motion.expression)), ("eye opening", lids)]),
        Panel("degrees", [(name, rotation[:, axis]) for axis, name in enumerate(("pitch", "yaw", "roll"))]),
    ]
    panels[1:] = [Panel(one.title, [(name, _downsample(line)) for name, line in one.lines]) for one in panels[1:]]
    curves = draw_curves(panels, seconds=len(motion) / float(motion.fps))
    frames = contact_sheet(
        run.input("result"), columns=params.columns, count=params.count, tile_height=params.tile_height
    )
    width = max(curves.shape[1], frames.shape[1])
    whole = np.concatenate([_pad(curves, width), _pad(frames, width)])
    write_image(run.output / "report.png", whole, metadata=origin_metadata())
    return {"size_pixels": [whole.shape[1], whole.shape[0]]}


def _waveform(path: Path, track: int | None) -> list[tuple[str, Floats]]:
    """Return the lower and upper envelope of all channels."""
    info = probe_sound(path, NO_LIMITS, track=track)
    edges = np.concatenate(list(_edges(decode_sound(path, info=info))))
    step = -(-len(edges) // MAX_POINTS)
    blocks = [edges[at : at + step] for at in range(0, len(edges), step)]
    low, high = (np.array([rule(block[:, side]) for block in blocks]) for side, rule in enumerate((np.min, np.max)))
    return [("", low), ("", high)]


def _edges(blocks: Iterator[NDArray[np.float32]]) -> Iterator[Floats]:
    for block in blocks:
        parts = np.array_split(block, max(1, len(block) // WAVE_SAMPLES))
        yield np.array([(part.min(), part.max()) for part in parts if len(part)])


def _downsample(line: Floats) -> Floats:
    return line[:: -(-len(line) // MAX_POINTS)]


def _pad(picture: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    missing = width - picture.shape[1]
    return np.pad(picture, ((0, 0), (0, missing), (0, 0)), constant_values=255)


STAGE = Stage(
    name="report",
    version=2,
    inputs=("sound", "motion", "result"),
    outputs=("report.png",),
    params=Params,
    function=report,
    weights=("face-model",),
)
