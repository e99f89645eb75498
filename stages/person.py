"""Stage `person`: check that the pictures of a source show one person, by the shapes of their faces."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facepipe.engine.remark import remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.errors import InputError, NoFaceError
from facepipe.face.portrait import HALF_SHARE, share_outside
from facepipe.face.track import load_track
from facepipe.media.grid import turned
from facepipe.media.image import read_image
from facepipe.media.limits import NO_LIMITS
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from facepipe.face.likeness import Portrayed
    from facepipe.face.model import FaceModel


@dataclass(frozen=True)
class Params:
    """The stage has no parameters."""


def person(run: StageRun[Params]) -> Mapping[str, Any]:
    """Compare each picture with the first, and write the distances of shape and the likenesses of appearance.

    Raises InputError for a picture of another person, NoFaceError for one that lacks much of the face.
    """
    # Imported here, so that a finished job does not wait for OpenCV.
    from facepipe.face.likeness import OTHER_SHAPE, compare, person_remarks
    from facepipe.face.model import load_face_model

    named, pictures, tracks = run.many("media"), run.many("pictures"), run.many("tracks")
    model = load_once(load_face_model, run.weights["face-model"])
    shown = [_portrayed(model, *one) for one in zip(named, pictures, tracks, strict=True)]
    found = [compare(model, shown[0], other) for other in shown[1:]]
    for path, one in zip(named[1:], found, strict=True):
        if one.is_other:
            raise InputError(
                f"{path}: shows another person than {named[0]}: the shapes of the faces differ by {one.distance:.3f} "
                f"eye distances, and pictures of one person by less than {OTHER_SHAPE}. Give pictures of one person."
            )
    figures = [{"distance": round(one.distance, 4), "likeness": round(one.likeness, 4)} for one in found]
    (run.output / "person.json").write_text(json.dumps(figures) + "\n", encoding="utf-8")
    run.advance(len(shown))
    remarks = [remark for number, one in enumerate(found, 1) for remark in person_remarks(one, number)]
    return {"pictures": figures, "remarks": remark_facts(remarks)}


def _portrayed(model: FaceModel, named: Path, picture: Path, track: Path) -> Portrayed:
    from facepipe.face.likeness import portrayed

    file = load_track(track)
    outside = share_outside(file.track.points[0].astype(np.float64), file.picture_size)
    if outside >= HALF_SHARE:
        raise NoFaceError(
            f"{named}: {outside:.0%} of the face is outside of the picture, and at most {HALF_SHARE:.0%} can be "
            "completed. Use a picture that shows the whole face, or leave it out."
        )
    return portrayed(model, turned(read_image(picture, NO_LIMITS), file.turned_degrees), file.track.points[0])


STAGE = Stage(
    name="person",
    version=1,
    inputs=("media*", "pictures*", "tracks*"),
    outputs=("person.json",),
    params=Params,
    function=person,
    weights=("face-model",),
)
