"""Pictures of random avatars, from which imitator and mapper learn.

    facepipe train avatar-pictures --out PICTURES --count 24000 --first 1000000

Each avatar is drawn twice: neutral in the face's frame, as the imitator shall draw it, and in a random pose and
expression with the maps that the mapper's augmentation needs. PICTURES gets one .npz a SHARD of avatars; a run goes on
where another one has ended, and several runs may share the work by other values of --first.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe import weights
from facepipe.avatar.assets import ASSETS
from facepipe.avatar.avatar import Avatar, build
from facepipe.avatar.camera import Camera
from facepipe.avatar.compiling import open_head
from facepipe.avatar.framing import face_camera
from facepipe.avatar.picture import Picture
from facepipe.avatar.posing import head_rotation
from facepipe.avatar.rasteriser import render
from facepipe.avatar.sampling import sample
from facepipe.avatar.sliders import NEUTRAL
from facepipe.avatar.units import UNITS
from facepipe.avatar.vector import AvatarVector
from facepipe.face.cropping import SquareCrop, aligned_crop
from facepipe.face.landmarker import Landmarker
from facepipe.train.command import parser_of

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
SHARD = 400
SIDE, POSED_SIDE, WIDER = 256, 288, 1.125
PLAIN = (0.9, 0.91, 0.93)
"""sRGB of the background of neutral pictures."""
FURTHER_SPREAD = 0.12
"""Standard deviation that is added to the sliders of every second avatar."""
JPEG = (cv2.IMWRITE_JPEG_QUALITY, 95)
FACE_SHARE = 0.5
"""Side of the landmarker's first crop, as a fraction of the picture's."""


@dataclass(frozen=True)
class AvatarPictures:
    """The pictures of one avatar."""

    vector: AvatarVector
    neutral: Pixels
    """(SIDE, SIDE, 3), in the face's frame."""
    posed: Pixels
    """(POSED_SIDE, POSED_SIDE, 3), the frame WIDER times as wide; colours are not multiplied by alpha."""
    alpha: Pixels
    """(POSED_SIDE, POSED_SIDE)."""
    parts: Pixels
    """(POSED_SIDE, POSED_SIDE), numbers of parts."""
    normals: Pixels
    """(POSED_SIDE // 4, POSED_SIDE // 4, 3), 128 plus 127 times the unit normal."""
    points: Floats
    """(478, 3), landmarks of `posed` in its pixels."""


def vector_of(seed: int) -> AvatarVector:
    """Return the random avatar of a seed."""
    vector = sample(seed)
    if seed % 2 == 0:
        return vector
    random = np.random.default_rng((seed, 1))
    moved = {name: float(np.clip(vector.sliders[name] + random.normal(0, FURTHER_SPREAD), 0, 1)) for name in NEUTRAL}
    return vector.changed(sliders=moved)


def random_units(random: np.random.Generator) -> NDArray[np.float64]:
    """Return weights (52,) of a random expression; a third are neutral."""
    found = np.zeros(len(UNITS))

    def put(name: str, weight: float) -> None:
        for side in ("", "Left", "Right"):
            if name + side in UNITS:
                found[UNITS.index(name + side)] = weight

    if random.uniform() < 1 / 3:
        return found
    put("mouthSmile", float(random.choice([0, random.uniform(0.2, 0.9)])))
    put("jawOpen", float(random.choice([0, random.uniform(0.05, 0.5)], p=[0.6, 0.4])))
    put("eyeBlink", float(random.choice([0, random.uniform(0.1, 0.5), 1], p=[0.6, 0.35, 0.05])))
    put("browInnerUp", float(random.choice([0, random.uniform(0, 0.7)])))
    put("browDown", float(random.choice([0, random.uniform(0, 0.6)], p=[0.7, 0.3])))
    put("eyeSquint", float(random.choice([0, random.uniform(0, 0.8)])))
    for name in ("mouthPucker", "mouthFrown", "mouthStretch", "mouthUpperUp", "cheekPuff"):
        put(name, float(random.choice([0, random.uniform(0, 0.5)], p=[0.85, 0.15])))
    return found


def posed_picture(avatar: Avatar, random: np.random.Generator) -> Picture:
    """Draw an avatar in a random pose and expression without a background."""
    wide = 20 if random.uniform() < 0.2 else 8
    rotation = head_rotation(float(random.normal(0, wide)), float(random.normal(0, 7)), float(random.normal(0, 5)))
    gaze = (float(random.normal(0, 8)), float(random.normal(0, 4)))
    posed = avatar.pose(random_units(random), rotation, gaze)
    parts = [replace(part, vertices=places) for part, places in zip(avatar.parts, posed, strict=True)]
    camera: Camera = face_camera(avatar, wider=WIDER)
    return render(parts, camera, (POSED_SIDE, POSED_SIDE))


def pictures_of(seed: int, landmarker: Landmarker) -> AvatarPictures:
    """Draw the random avatar of a seed."""
    vector = vector_of(seed)
    avatar = build(vector, open_head())
    random = np.random.default_rng((seed, 2))
    neutral = render(avatar.parts, face_camera(avatar), (SIDE, SIDE), PLAIN).colour
    picture = posed_picture(avatar, random)
    colour, alpha = np.ascontiguousarray(picture.colour[..., :3]), picture.colour[..., 3]
    share = alpha[..., None] / np.float32(255)
    shown = (share * colour + (1 - share) * 255 * np.array(PLAIN, np.float32)).astype(np.uint8)
    middle, face = (POSED_SIDE - 1) / 2, FACE_SHARE * POSED_SIDE
    first = landmarker.locate([shown], [SquareCrop(middle, 1.06 * middle, face)]).points[0]
    points = landmarker.locate([shown], [aligned_crop(first)]).points[0]
    small = (POSED_SIDE // 4, POSED_SIDE // 4)
    normals = cv2.resize(picture.normals, small, interpolation=cv2.INTER_AREA)
    coded = np.clip(np.round(128 + 127 * normals), 0, 255).astype(np.uint8)
    return AvatarPictures(vector, neutral, colour, alpha, picture.parts, coded, points)


def packed(pictures: Sequence[AvatarPictures]) -> dict[str, NDArray[Any]]:
    """Return pictures as the arrays of a shard: pictures coded, one after another, with their ends."""
    coded = {
        "neutral": [_coded(one.neutral, ".jpg", JPEG) for one in pictures],
        "posed": [_coded(one.posed, ".jpg", JPEG) for one in pictures],
        "alpha": [_coded(one.alpha, ".png") for one in pictures],
        "parts": [_coded(one.parts, ".png") for one in pictures],
        "normals": [_coded(one.normals, ".png") for one in pictures],
    }
    arrays: dict[str, NDArray[Any]] = {}
    for name, blobs in coded.items():
        arrays[name] = np.concatenate(blobs)
        arrays[f"{name}_ends"] = np.cumsum([len(blob) for blob in blobs])
    arrays["numbers"] = np.stack([one.vector.numbers() for one in pictures]).astype(np.float32)
    choices = [[list(ASSETS[type_]).index(one.vector.choices[type_]) for type_ in ASSETS] for one in pictures]
    arrays["choices"] = np.array(choices, np.uint8)
    arrays["points"] = np.stack([one.points for one in pictures]).astype(np.float32)
    return arrays


def _coded(pixels: Pixels, form: str, options: Sequence[int] = ()) -> NDArray[np.uint8]:
    bgr = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    good, blob = cv2.imencode(form, np.ascontiguousarray(bgr), list(options))
    assert good
    return np.asarray(blob, np.uint8).ravel()


def decoded(arrays: dict[str, NDArray[Any]], name: str, row: int) -> Pixels:
    """Return one picture of a shard: (H, W, 3) RGB, or (H, W)."""
    ends = arrays[f"{name}_ends"]
    blob = arrays[name][ends[row - 1] if row else 0 : ends[row]]
    pixels = np.asarray(cv2.imdecode(blob, cv2.IMREAD_UNCHANGED), np.uint8)
    return pixels[..., ::-1] if pixels.ndim == 3 else pixels


def write(out: Path, first: int, count: int) -> None:
    """Write the shards of avatars of the seeds from `first` on; shards that exist are kept."""
    out.mkdir(parents=True, exist_ok=True)
    landmarker = Landmarker(weights.find("landmarker").path)
    for start in range(first, first + count, SHARD):
        path = out / f"avatars-{start}.npz"
        if path.exists():
            continue
        seeds = range(start, min(start + SHARD, first + count))
        arrays = packed([pictures_of(seed, landmarker) for seed in seeds])
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(buffer.getvalue())
        unfinished.replace(path)
        print(f"{path.name}: {len(seeds)} avatars", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("avatar-pictures", __doc__, "out")
    parser.add_argument("--count", type=int, default=24000, help="Number of avatars.", metavar="N")
    parser.add_argument("--first", type=int, default=1_000_000, help="Seed of the first one.", metavar="SEED")
    arguments = parser.parse_args(argv)
    cv2.setNumThreads(1)
    write(arguments.out, arguments.first, arguments.count)


if __name__ == "__main__":
    main()
