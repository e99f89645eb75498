"""Portrait and clip of a benchmark: generated from a portrait of scikit-image, or the user's clip."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import skimage.data

from facepipe import weights
from facepipe.engine import Job, Workspace
from facepipe.face.cropping import SquareCrop
from facepipe.face.model import EXPRESSION_COUNT, IDENTITY_COUNT, FaceModel, load_face_model
from facepipe.media.image import write_image
from facepipe.media.mux import concat_and_mux
from facepipe.media.probe import probe_video
from facepipe.pipeline.options import Options
from facepipe.pipeline.reenact import prepare, reenact
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import save_coefficients

FRAMES, FPS, SIZE_PIXELS = 250, Fraction(25), 512
LONGER = 10
# Amplitude and periods per clip of head rotations, in degrees, and of controls, as in speech.
TURNS = {"pitch": (5, 3), "yaw": (12, 2), "roll": (4, 5)}
CONTROLS = {"jaw_open": (0.6, 23), "smile": (0.5, 4), "brow_raise": (0.6, 3), "blink_left": (0.8, 7)}


@dataclass(frozen=True)
class Material:
    """Inputs of a benchmark."""

    portrait: Path
    clip: Path
    frames: int


def prepare_material(folder: Path, clip: Path | None) -> Material:
    """Return portrait and clip, generated in the folder if they do not exist. `clip` replaces the generated one."""
    folder.mkdir(parents=True, exist_ok=True)
    portrait = folder / "astronaut.png"
    if not portrait.exists():
        write_image(portrait, skimage.data.astronaut())  # type: ignore[no-untyped-call]
    generated = folder / f"clip-{SIZE_PIXELS}.mp4"
    if clip is None and not generated.exists():
        _render_clip(folder, portrait, generated)
    used = clip or generated
    return Material(portrait, used, probe_video(used).frame_count_estimate)


def longer(material: Material, folder: Path) -> Material:
    """Return the clip repeated ten times."""
    long = folder / f"{material.clip.stem}-{LONGER}.mp4"
    if not long.exists():
        concat_and_mux([material.clip] * LONGER, out=long)
    return Material(material.portrait, long, material.frames * LONGER)


def _render_clip(folder: Path, portrait: Path, out: Path) -> None:
    motion, work = folder / "motion.npz", folder / "making"
    save_coefficients(synthetic_motion(load_face_model(weights.find("face-model").path)), motion)
    with Job(Workspace(work), {"command": "bench"}) as job:
        reenact(job, prepare(job, portrait, motion, out, Options(renderer="mesh", size_pixels=SIZE_PIXELS)))
    shutil.rmtree(work)


def synthetic_motion(model: FaceModel) -> Coefficients:
    """Return FRAMES rows of a moving, talking head. The motion is periodic, so that the clip can be repeated."""
    phase = 2 * np.pi * np.arange(FRAMES) / FRAMES
    angles = np.stack([np.radians(size) * np.sin(periods * phase) for size, periods in TURNS.values()], axis=1)
    expression = np.zeros((FRAMES, EXPRESSION_COUNT))
    for name, (size, periods) in CONTROLS.items():
        expression += size * (0.5 - 0.5 * np.cos(periods * phase))[:, None] * model.controls[name].direction
    return Coefficients(
        identity=np.zeros(IDENTITY_COUNT),
        expression=expression,
        angles=angles,
        translation=np.stack([0.05 * np.sin(phase), 0.03 * np.sin(2 * phase), 0.04 * np.sin(3 * phase)], axis=1),
        valid=np.ones(FRAMES, bool),
        residual=np.zeros(FRAMES),
        fps=FPS,
        crop=SquareCrop(SIZE_PIXELS / 2, SIZE_PIXELS / 2, SIZE_PIXELS),
        picture_size=(SIZE_PIXELS, SIZE_PIXELS),
    )
