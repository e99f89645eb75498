"""Stage `prepare`: compute the tensors that a renderer needs once per source, independent of the motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from facepipe.engine.remark import remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.face.portrait import head_remarks, head_share_outside
from facepipe.face.track import load_track

if TYPE_CHECKING:
    from facepipe.rendering.source import SourceFiles

MORE = ("pictures", "tracks", "sources", "mattes")
"""Inputs for further pictures of the same person, with the prefix `more_`: one file for each picture."""


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    renderer: str = ""


def prepare(run: StageRun[Params]) -> Mapping[str, Any]:
    """Compute and write the renderer's tensors for the source."""
    # Imported here, so that a finished job does not wait for torch.
    from safetensors.torch import save_file

    from facepipe.renderers import RENDERERS, prepare_source

    spec = RENDERERS[run.params.renderer]
    source = _files(run).load(spec.motion_space)
    prepared = prepare_source(spec.name, run.weights, source)
    tensors = {name: tensor.cpu().contiguous() for name, tensor in prepared.items()}
    save_file(tensors, run.output / "prepared.safetensors")
    run.advance(1)
    facts = {"tensors": len(tensors), "bytes": sum(tensor.nbytes for tensor in tensors.values())}
    return {**facts, **(_head_facts(run) if spec.needs_matte else {})}


def _files(run: StageRun[Params]) -> SourceFiles:
    """Return the files of all pictures of the source."""
    from facepipe.rendering.source import SourceFiles

    matte = run.input("matte") if "matte" in run.inputs else None
    first = SourceFiles(run.input("picture"), run.input("track"), run.input("source"), matte=matte)
    if "more_pictures" not in run.inputs:
        return first
    mattes = run.many("more_mattes") if "more_mattes" in run.inputs else repeat(None)
    rows = zip(run.many("more_pictures"), run.many("more_tracks"), run.many("more_sources"), mattes, strict=False)
    more = (SourceFiles(picture, track, source, matte=matte) for picture, track, source, matte in rows)
    return replace(first, more=tuple(more))


def _head_facts(run: StageRun[Params]) -> Mapping[str, Any]:
    """Return the share of the head outside of each picture, with the remarks, for a renderer that needs whole heads."""
    tracks = [run.input("track"), *(run.many("more_tracks") if "more_tracks" in run.inputs else ())]
    files = [load_track(track) for track in tracks]
    shares = [head_share_outside(one.track.points[0].astype(np.float64), one.picture_size) for one in files]
    remarks = [remark for number, share in enumerate(shares, 1) for remark in head_remarks(share, number)]
    return {"head_outside": [round(share, 4) for share in shares], "remarks": remark_facts(remarks)}


STAGE = Stage(
    name="prepare",
    version=3,
    inputs=("picture", "track", "source", "matte?", *(f"more_{name}*?" for name in MORE)),
    outputs=("prepared.safetensors",),
    params=Params,
    function=prepare,
    weights=("face-model?", "network?"),
)
