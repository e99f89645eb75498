"""A data set of plain-coloured clips with random tracks and coefficients, for code that only copies them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from facepipe.dataset.listing import Entry, path_of, write_list
from facepipe.face.cropping import SquareCrop
from facepipe.face.track import Track, TrackFile, save_track
from facepipe.media.encode import VideoWriter
from facepipe.spaces.bfm.coefficients import BfmCoefficients
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import save_coefficients

SIZE, FPS = 32, Fraction(25)
WHOLE = SquareCrop(SIZE / 2, SIZE / 2, SIZE)


def random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def make_dataset(folder: Path, *names: str, frames: int = 5) -> list[Entry]:
    """Make clips of these names, each in another colour; names that contain "test" are in that split."""
    entries = []
    for number, name in enumerate(names):
        for kind in ("clip", "coefficients"):
            path_of(folder, name, kind).parent.mkdir(parents=True, exist_ok=True)
        with VideoWriter(path_of(folder, name, "clip"), size=(SIZE, SIZE), fps=FPS) as writer:
            for frame in range(frames):
                writer.write(np.full((SIZE, SIZE, 3), 20 + 40 * number + frame * 5, np.uint8))
        valid = np.ones(frames, bool)
        track = Track(random(frames, 478, 3, seed=number), valid, np.ones(frames, np.float32))
        save_track(TrackFile(track, FPS, WHOLE, (SIZE, SIZE)), path_of(folder, name, "track"))
        motion = Coefficients(
            random(80), random(frames, 64), random(frames, 3), random(frames, 3), valid, random(frames), FPS, WHOLE,
            (SIZE, SIZE),
        )  # fmt: skip
        save_coefficients(motion, path_of(folder, name, "coefficients"))
        split = "test" if "test" in name else "train"
        entries.append(
            Entry(name, name.partition("#")[0], split, frames, frames, "25", SIZE, False, "x.mp4", "0", 0, (0, 0, 99))
        )
    write_list(folder, entries)
    return entries


def bfm_coefficients(frames: int = 5, seed: int = 0) -> BfmCoefficients:
    return BfmCoefficients(
        random(frames, 80, seed=seed), random(frames, 64, seed=seed + 1), random(frames, 3, seed=seed + 2),
        random(frames, 3, seed=seed + 3), np.ones(frames, bool), random(frames), FPS, WHOLE, (SIZE, SIZE),
        texture=random(frames, 80, seed=seed + 4), lighting=random(frames, 27, seed=seed + 5),
        crops=random(frames, 3, seed=seed + 6),
    )  # fmt: skip


def add_coefficients(dataset: Path, *names: str, frames: int = 4) -> None:
    """Add coefficients in the space `bfm` to clips."""
    for number, name in enumerate(names):
        path = path_of(dataset, name, "bfm")
        path.parent.mkdir(parents=True, exist_ok=True)
        save_coefficients(bfm_coefficients(frames, seed=10 * number), path)
