"""Stage `avatar`: an avatar as a source, with its picture at rest in place of a portrait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from facepipe.engine.remark import FACT, Remark, remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.face.model import load_face_model
from facepipe.face.track import Track, TrackFile, save_track
from facepipe.media.image import write_image
from facepipe.spaces.files import save_coefficients
from facepipe.weights.loaded import load_once

OTHER_HEAD = Remark(
    "other-head",
    "the avatar was made with another version of the head, so that its shape may differ from the one that was saved",
)


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    head: str
    """Digest of the compiled head."""
    engine: int
    """Version of the engine."""
    size_pixels: int
    background: tuple[int, int, int] = (230, 231, 236)
    """sRGB, 0 to 255, of the picture at rest, which contact sheets and grids show."""


def avatar(run: StageRun[Params]) -> Mapping[str, Any]:
    """Draw the avatar at rest, and write it as `crop` and `coefficients` write a portrait and its motion.

    Its motion is the mean face at rest, whose landmarks stand for those of the avatar.
    """
    # Imported here, so that a finished job does not wait for numba and torch.
    from facepipe.avatar.avatar import build
    from facepipe.avatar.compiling import open_head
    from facepipe.avatar.packing import packed
    from facepipe.avatar.params import head_of, load_params
    from facepipe.avatar.portrait import Portraitist, portrait_camera
    from facepipe.spaces.arkit52.coefficients import resting
    from facepipe.weights.saving import save_tensors

    vector, head, side = load_params(run.input("avatar")), open_head(), run.params.size_pixels
    made = build(vector, head)
    colour = tuple(value / 255 for value in run.params.background)
    picture = Portraitist(made, portrait_camera(made), side).draw(background=(colour[0], colour[1], colour[2]))
    write_image(run.output / "crop.png", picture)
    still = resting(1, side_pixels=side)
    save_coefficients(still, run.output / "coefficients.npz")
    model = load_once(load_face_model, run.weights["face-model"])
    points = still.pose(side).apply(model.shape(still.identity, still.expression)).astype(np.float32)
    track = Track(points, np.ones(1, bool), np.ones(1, np.float32), max_faces=1)
    save_track(TrackFile(track, Fraction(25), still.crop, (side, side)), run.output / "track.npz")
    tensors = packed(vector, run.params.head, run.params.engine)
    save_tensors(tensors, run.output / "prepared.safetensors", {"kind": "avatar-vector"})
    run.advance(1)
    remarks = [OTHER_HEAD] if head_of(run.input("avatar")) not in ("", run.params.head) else []
    facts = {"frames": 1, "frames_without_face": 0, "choices": dict(vector.choices)}
    return {**facts, FACT: remark_facts(remarks)}


STAGE = Stage(
    name="avatar",
    version=1,
    inputs=("avatar",),
    outputs=("crop.png", "track.npz", "coefficients.npz", "prepared.safetensors"),
    params=Params,
    function=avatar,
    weights=("face-model",),
)
