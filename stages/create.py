"""Stage `create`: an avatar from a portrait."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facepipe.creation import CODE_MAPPER, IMITATOR, MAPPER
from facepipe.engine.digest import digest_stream
from facepipe.engine.remark import Remark, remark_facts
from facepipe.engine.stage import Stage, StageRun
from facepipe.errors import InputError
from facepipe.face.model import load_face_model
from facepipe.face.track import load_track
from facepipe.media.image import read_image, write_image
from facepipe.media.limits import NO_LIMITS
from facepipe.media.origin import origin_metadata
from facepipe.spaces.files import load_coefficients
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from facepipe.creation.creation import Creation
    from facepipe.creation.observation import Observation
    from facepipe.face.cropping import SquareCrop

BEHIND = (0xE6 / 255, 0xE7 / 255, 0xEC / 255)
"""sRGB behind the avatar in render.png: that of `facepipe avatar render`, so that both give the same picture."""
FILES = ("params.json", "relaxed.json", "target.png", "render.png", "sheet.png", "report.json")


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    head: str
    """Digest of the compiled head."""
    engine: int
    """Version of the engine."""
    size_pixels: int
    """Width and height of render.png."""
    remarks: tuple[tuple[str, str], ...] = ()
    """Code and text of the remarks of earlier stages, for the report."""


def create(run: StageRun[Params]) -> Mapping[str, Any]:
    """Make the avatar and write its files. Raises NoFaceError, InputError."""
    # Imported here, so that a finished job does not wait for numba and torch.
    from facepipe.avatar.compiling import open_head
    from facepipe.creation.creation import create as created
    from facepipe.creation.models import open_models
    from facepipe.creation.observation import SIDE_PIXELS
    from facepipe.creation.remarks import hair_remarks
    from facepipe.face.cropping import sample

    observation, frame, remarks = _observe(run)
    stylized = None
    if "stylized" in run.inputs:
        stylized = sample(read_image(run.input("stylized"), NO_LIMITS), frame, SIDE_PIXELS)
    code = load_code(run.input("code")) if "code" in run.inputs else None
    models = open_models({name: run.weights[name] for name in (MAPPER, IMITATOR, CODE_MAPPER) if name in run.weights})
    made = created(observation, models, open_head(), stylized=stylized, code=code)
    remarks += hair_remarks(made.conversion.vector)
    _write(run, made, [*(Remark(code, text) for code, text in run.params.remarks), *remarks])
    run.advance(1)
    differences = {name: round(value, 6) for name, value in made.differences.items()}
    return {
        "choices": dict(made.conversion.vector.choices),
        "difference": differences,
        "part_seconds": dict(made.seconds),
        "remarks": remark_facts(remarks),
    }


def _observe(run: StageRun[Params]) -> tuple[Observation, SquareCrop, list[Remark]]:
    """Return the observation, the frame of its face in the picture, and the remarks on the portrait."""
    from facepipe.creation.observation import face_frame, observe
    from facepipe.creation.remarks import appearance_remarks, check_face, portrait_remarks

    file, motion = load_track(run.input("track")), load_coefficients(run.input("coefficients"))
    points = file.track.points[0].astype(np.float64)
    check_face(points, file.picture_size)
    picture, matte = (read_image(run.input(name), NO_LIMITS) for name in ("picture", "matte"))
    model = load_once(load_face_model, run.weights["face-model"])
    share = matte[..., 0].astype(np.float32) / np.float32(255)
    observation = observe(picture, share, points, model.neutral(motion.identity)[0])
    remarks = portrait_remarks(points, motion.angles[0], file.picture_size)
    return observation, face_frame(points), [*remarks, *appearance_remarks(observation)]


def load_code(path: Path) -> NDArray[np.float32]:
    """Read a W+ code (18, 512), or (1, 18, 512), from an .npy. Raises InputError for another file."""
    from facepipe.models.avatar_mapper import WPLUS_CODES, WPLUS_WIDTH

    try:
        code = np.load(path, allow_pickle=False)
        found = np.asarray(code, np.float32) if code.dtype.kind == "f" else None
    except (OSError, ValueError, EOFError, AttributeError) as error:
        raise InputError(f"{path}: is no array of NumPy ({error}); expected an .npy with a W+ code of e4e") from None
    shape = (WPLUS_CODES, WPLUS_WIDTH)
    if found is None or found.shape not in (shape, (1, *shape)) or not np.isfinite(found).all():
        raise InputError(f"{path}: has the shape {code.shape} of {code.dtype}, expected finite floats (18, 512)")
    return found.reshape(shape)


def _write(run: StageRun[Params], made: Creation, remarks: list[Remark]) -> None:
    from facepipe.avatar.params import save_params
    from facepipe.avatar.portrait import Portraitist, portrait_camera
    from facepipe.creation.report import Origin, relaxed_content, report_of
    from facepipe.creation.sheet import sheet_of

    head, marked = run.params.head, origin_metadata()
    save_params(made.conversion.vector, run.output / "params.json", head_digest=head)
    artist = Portraitist(made.final, portrait_camera(made.final), run.params.size_pixels)
    write_image(run.output / "render.png", artist.draw(background=BEHIND), metadata=marked)
    write_image(run.output / "target.png", made.target.picture, metadata=marked)
    write_image(run.output / "sheet.png", sheet_of(made), metadata=marked)
    digests = {name: _digest(path) for name, path in run.weights.items()}
    origin = Origin(head, digests, code="code" in run.inputs)
    contents = {
        "relaxed.json": relaxed_content(made.relaxed, head),
        "report.json": report_of(made, origin, remarks),
    }
    for name, content in contents.items():
        (run.output / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return digest_stream(file)


STAGE = Stage(
    name="create",
    version=2,
    inputs=("picture", "track", "matte", "coefficients", "stylized?", "code?"),
    outputs=FILES,
    params=Params,
    function=create,
    weights=("face-model", IMITATOR, f"{MAPPER}?", f"{CODE_MAPPER}?"),
)
