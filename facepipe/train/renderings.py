"""Synthetic clips for the training of the landmarker: known faces with large rotations and other people's expressions.

    facepipe train renderings --data DATA --labels LABELS --out RENDERINGS

Few people in the data look aside with an open mouth; the mesh renderer produces this for every face. RENDERINGS
receives `clips/*.mp4` and is a data folder for tools/label_with_mediapipe.py: the truth is what the labelling tool
finds in a rendering, not what the renderer was given. Existing clips are kept.
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
# Maximum rotation of a head about each axis, in degrees: pitch, yaw, roll.
SWING_DEGREES = (28.0, 65.0, 15.0)
Floats = NDArray[np.float64]


def labels_of(item: Item, labels: Path) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the reference points (T, 478, 3) of an item, and (T,) which frames have them."""
    folder = "clips" if item.kind == "clip" else "portraits"
    with np.load(labels / folder / f"{item.path.stem}.npz") as label:
        return label["points"], label["valid"]


def expressions_of(items: Sequence[Item], labels: Path, model: FaceModel) -> list[Floats]:
    """Return the (T, 64) expressions of every clip with at least FRAMES frames with a face."""
    found = []
    for item in items:
        points, valid = labels_of(item, labels)
        if item.kind == "clip" and valid.sum() >= FRAMES:
            found.append(fit(model, points, valid).expression)
    return found


def portrait_of(item: Item, labels: Path, model: FaceModel, random: np.random.Generator) -> Source | None:
    """Return a random frame of an item, cropped and fitted; None if no frame has a face."""
    points, valid = labels_of(item, labels)
    if not valid.any():
        return None
    index = int(random.choice(chosen_frames(valid, FRAMES)))
    frame = next(iter(read_frames(item.path, np.array([index]))))
    picture, points_in_crop = around_face(frame, points[index], ratio=RATIO, size_pixels=SIZE_PIXELS)
    fitted = fit(model, points_in_crop[None], np.ones(1, bool))
    return source_of_fit(picture, points_in_crop.astype(np.float64), fitted)


def swung(angles: Floats, random: np.random.Generator) -> Floats:
    """Return (FRAMES, 3) angles in radians that oscillate about all axes around the source's own angles (3,)."""
    reach = np.radians(SWING_DEGREES) * random.uniform(0.3, 1, 3)
    middle = np.clip(angles, -reach, reach) * random.uniform(0, 1, 3)
    turns, start = random.uniform(0.3, 1.2, 3), random.uniform(0, 2 * np.pi, 3)
    time = np.arange(FRAMES)[:, None] / FRAMES
    return np.asarray(middle + reach * np.sin(start + 2 * np.pi * turns * time))


def opened(model: FaceModel, random: np.random.Generator) -> Floats:
    """Return (FRAMES, 64) expressions to add: sometimes a wide open mouth, and eyes that close for some frames.

    Both are rare in people who rest or talk, and a network that rarely sees them becomes uncertain about them.
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


def render(portrait: Source, expressions: Floats, model: FaceModel, random: np.random.Generator, out: Path) -> None:
    """Write one clip of a portrait with a random part of (T, 64) expressions of another person."""
    first = int(random.integers(len(expressions) - FRAMES + 1))
    expression = expressions[first : first + FRAMES] * random.uniform(0.8, 1.5) + opened(model, random)
    pose = portrait.pose.rows(np.zeros(FRAMES, np.intp))
    pose = pose._replace(rotation=rotation_of(swung(angles_of(pose.rotation)[0], random)))
    with VideoWriter(out, size=(SIZE_PIXELS, SIZE_PIXELS), fps=FPS, quality=90) as writer:
        for frame in MeshRenderer(model, portrait).frames(expression, pose):
            writer.write(frame)


def main(argv: Sequence[str] | None = None) -> None:
    """Render a clip of every portrait, and of one frame of every clip, of the training split."""
    parser = parser_of("renderings", __doc__, "data", "labels", "out")
    parser.add_argument("--takes", type=int, default=1, help="Number of clips of each item.")
    args = parser.parse_args(argv)
    model = load_face_model(weights.find("face-model").path)
    items = split_items(args.data)[0]
    expressions = expressions_of(items, args.labels, model)
    (args.out / "clips").mkdir(parents=True, exist_ok=True)
    for number, item in enumerate(items):
        for take in range(args.takes):
            target = args.out / "clips" / f"{item.path.stem}-{take}.mp4"
            random = np.random.default_rng([number, take])
            portrait = None if target.exists() else portrait_of(item, args.labels, model, random)
            if portrait:
                render(portrait, expressions[random.integers(len(expressions))], model, random, target)
                print(target.name, flush=True)


if __name__ == "__main__":
    main()
