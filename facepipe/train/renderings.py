"""Clips to train perception on that no camera took: known faces, turned far and moved by other people's expressions.

    facepipe train renderings --data DATA --labels LABELS --out RENDERINGS

Few people of the data look aside with an open mouth; the mesh renderer makes every face of it do so. RENDERINGS
receives `clips/*.mp4`, a data folder of its own for tools/label_with_mediapipe.py: what the teacher sees in a
rendering is the truth, not what was asked of the renderer. A clip that is there is not made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe import weights
from facepipe.dataset.split import Item, split_items
from facepipe.face.fitting import fit
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.pose import angles_of, rotation_of
from facepipe.media.encode import VideoWriter
from facepipe.renderers.mesh.renderer import MeshRenderer
from facepipe.rendering.source import Source, source_of_fit
from facepipe.train.command import parser_of
from facepipe.train.faces import around_face, chosen_frames, read_frames

FRAMES, SIZE_PIXELS, RATIO, FPS = 48, 256, 2.2, Fraction(25)
OPENED_SHARE = 0.6
# How far a head swings about each axis at most, in degrees: pitch, yaw, roll.
SWING_DEGREES = (28.0, 65.0, 15.0)
Floats = NDArray[np.float64]


def labels_of(item: Item, labels: Path) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the teacher's (T, 478, 3) points of an item, and in which frames there are any."""
    folder = "clips" if item.kind == "clip" else "portraits"
    with np.load(labels / folder / f"{item.path.stem}.npz") as label:
        return label["points"], label["valid"]


def expressions_of(items: Sequence[Item], labels: Path, model: FaceModel) -> list[Floats]:
    """Return the (T, 64) expressions of every clip that is long enough to borrow from."""
    found = []
    for item in items:
        points, valid = labels_of(item, labels)
        if item.kind == "clip" and valid.sum() >= FRAMES:
            found.append(fit(model, points, valid).expression)
    return found


def portrait_of(item: Item, labels: Path, model: FaceModel, random: np.random.Generator) -> Source | None:
    """Return a random frame of an item, cut around the face and fitted; None where the teacher saw no face."""
    points, valid = labels_of(item, labels)
    if not valid.any():
        return None
    index = int(random.choice(chosen_frames(valid, FRAMES)))
    frame = next(iter(read_frames(item.path, np.array([index]))))
    picture, moved = around_face(frame, points[index], ratio=RATIO, size_pixels=SIZE_PIXELS)
    fitted = fit(model, moved[None], np.ones(1, bool))
    return source_of_fit(picture, moved.astype(np.float64), fitted)


def swung(angles: Floats, random: np.random.Generator) -> Floats:
    """Return (FRAMES, 3) angles in radians that swing about all axes at once, around the source's own (3,)."""
    reach = np.radians(SWING_DEGREES) * random.uniform(0.3, 1, 3)
    middle = np.clip(angles, -reach, reach) * random.uniform(0, 1, 3)
    turns, start = random.uniform(0.3, 1.2, 3), random.uniform(0, 2 * np.pi, 3)
    time = np.arange(FRAMES)[:, None] / FRAMES
    return np.asarray(middle + reach * np.sin(start + 2 * np.pi * turns * time))


def opened(model: FaceModel, random: np.random.Generator) -> Floats:
    """Return (FRAMES, 64) expressions to add: now and then a mouth opened wide, and eyes that close for some frames.

    People at rest and in talk do neither often, and a network that sees it rarely learns to doubt it.
    """
    time, added = np.arange(FRAMES) / FRAMES, np.zeros((FRAMES, len(model.expression)))
    if random.random() < OPENED_SHARE:
        wave = np.maximum(0, np.sin(2 * np.pi * (random.uniform(0.7, 3) * time + random.random())))
        for name in ("jaw_open", "mouth_open"):
            added += random.uniform(0.3, 1.3) * wave[:, None] * model.controls[name].direction
    if random.random() < OPENED_SHARE:
        for middle in random.uniform(0, 1, 3):
            pulse = np.exp(-(((time - middle) * FRAMES / random.uniform(2, 5)) ** 2))[:, None]
            for name in ("blink_left", "blink_right"):
                added += random.uniform(0.8, 1.2) * pulse * model.controls[name].direction
    return added


def render(portrait: Source, borrowed: Floats, model: FaceModel, random: np.random.Generator, out: Path) -> None:
    """Write one clip of a portrait with a stretch of (T, 64) borrowed expressions."""
    first = int(random.integers(len(borrowed) - FRAMES + 1))
    expression = borrowed[first : first + FRAMES] * random.uniform(0.8, 1.5) + opened(model, random)
    pose = portrait.pose.rows(np.zeros(FRAMES, np.intp))
    pose = pose._replace(rotation=rotation_of(swung(angles_of(pose.rotation)[0], random)))
    with VideoWriter(out, size=(SIZE_PIXELS, SIZE_PIXELS), fps=FPS, quality=90) as writer:
        for frame in MeshRenderer(model, portrait).frames(expression, pose):
            writer.write(frame)


def main(words: Sequence[str] | None = None) -> None:
    """Render a clip of every portrait and of a frame of every clip that may be trained on."""
    parser = parser_of("renderings", __doc__, "data", "labels", "out")
    parser.add_argument("--takes", type=int, default=1, help="clips of each item")
    asked = parser.parse_args(words)
    model = load_face_model(weights.find("face-model").path)
    items = split_items(asked.data)[0]
    borrowed = expressions_of(items, asked.labels, model)
    (asked.out / "clips").mkdir(parents=True, exist_ok=True)
    for number, item in enumerate(items):
        for take in range(asked.takes):
            target = asked.out / "clips" / f"{item.path.stem}-{take}.mp4"
            random = np.random.default_rng([number, take])
            portrait = None if target.exists() else portrait_of(item, asked.labels, model, random)
            if portrait:
                render(portrait, borrowed[random.integers(len(borrowed))], model, random, target)
                print(target.name, flush=True)


if __name__ == "__main__":
    main()
