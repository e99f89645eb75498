"""Write examples/motion.npz: four seconds of a head that looks around, blinks and talks, made from named controls.

    python tools/make_example_motion.py

It contains no recording of a person. Run it again after the face model is trained again, because the controls are
directions in that model's coefficients.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop
from facepipe.face.model import FaceModel, load_face_model
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import save_coefficients
from facepipe.weights import find

FPS, SECONDS = 25, 4
PICTURE_PIXELS = 256
# Outer-eye distance of the head in half sides of its crop, as in crops around faces.
HEAD_SIZE = 0.42
BLINK_SECONDS, BLINKS_AT = 0.32, (0.5, 1.9, 3.4)
# Syllables: time in seconds, jaw opening, roundness of the lips.
SYLLABLES = (
    (0.80, 0.55, 0.0), (1.00, 0.30, 0.7), (1.22, 0.70, -0.2), (1.42, 0.25, 0.4), (1.60, 0.60, 0.0),
    (2.05, 0.45, 0.9), (2.28, 0.75, -0.3), (2.46, 0.30, 0.2), (2.66, 0.55, 0.6), (2.88, 0.40, -0.2),
)  # fmt: skip
SYLLABLE_SECONDS = 0.24

Floats = NDArray[np.floating]


def bump(seconds: Floats, at: float, length: float) -> Floats:
    """Return a smooth rise from 0 to 1 and back over `length` seconds around `at`."""
    phase = np.clip((seconds - at) / length + 0.5, 0, 1)
    return np.asarray(np.sin(np.pi * phase) ** 2)


def sliders(seconds: Floats) -> dict[str, Floats]:
    """Return the controls over time; all are 0 at both ends."""
    blink = sum((bump(seconds, at, BLINK_SECONDS) for at in BLINKS_AT), np.zeros_like(seconds))
    jaw = sum((size * bump(seconds, at, SYLLABLE_SECONDS) for at, size, _ in SYLLABLES), np.zeros_like(seconds))
    round_lips = sum((size * bump(seconds, at, SYLLABLE_SECONDS) for at, _, size in SYLLABLES), np.zeros_like(seconds))
    return {
        "blink_left": blink,
        "blink_right": blink,
        "jaw_open": jaw,
        "mouth_open": 0.6 * jaw,
        "pucker": round_lips,
        "brow_raise": 0.7 * bump(seconds, 1.3, 0.9),
        "brow_frown": 0.4 * bump(seconds, 2.6, 0.7),
        "smile": 0.9 * bump(seconds, 3.35, 1.1),
    }


def pose(seconds: Floats) -> Floats:
    """Return (T, 3) pitch, yaw and roll in radians, 0 at both ends."""
    still_ends = np.sin(np.pi * seconds / SECONDS) ** 0.5
    pitch = 4 * np.sin(2 * np.pi * seconds / 2) + 3 * bump(seconds, 2.3, 0.6)
    yaw = 16 * np.sin(2 * np.pi * seconds / SECONDS)
    roll = 4 * np.sin(2 * np.pi * seconds / SECONDS + np.pi)
    return np.asarray(np.radians(np.stack([pitch, yaw, roll], axis=1)) * still_ends[:, None])


def make(model: FaceModel) -> Coefficients:
    """Return the motion."""
    seconds = np.linspace(0, SECONDS, FPS * SECONDS)
    count, expression = len(seconds), np.zeros((len(seconds), 64))
    for name, value in sliders(seconds).items():
        expression += value[:, None] * model.controls[name].direction
    return Coefficients(
        identity=np.zeros(80),
        expression=expression,
        angles=pose(seconds),
        translation=np.tile([0.0, 0.05, np.log(HEAD_SIZE)], (count, 1)),
        valid=np.ones(count, bool),
        residual=np.zeros(count),
        fps=Fraction(FPS),
        crop=SquareCrop(PICTURE_PIXELS / 2 - 0.5, PICTURE_PIXELS / 2 - 0.5, PICTURE_PIXELS),
        picture_size=(PICTURE_PIXELS, PICTURE_PIXELS),
    )


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path, default=Path("examples/motion.npz"))
    save_coefficients(make(load_face_model(find("face-model").path)), parser.parse_args().out)


if __name__ == "__main__":
    main()
