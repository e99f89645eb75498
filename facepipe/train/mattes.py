"""Frames with reference mattes, cached on disk for the training of the matting network.

For every labelled frame, a cache holds the largest square of the frame around the head (`pictures.u8`, N x S x S x 3),
its matte (`mattes.u8`, N x S x S, 255 is person), the square that `facepipe crop` would cut, and the item's number.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.dataset.split import Item
from facepipe.face.cropping import SquareCrop, sample
from facepipe.face.detector import Detector
from facepipe.face.track import crop_around
from facepipe.train.faces import read_frames

Picture = NDArray[np.uint8]
SIZE_PIXELS, DETECTION_PIXELS = 320, 256


@dataclass(frozen=True)
class MatteCache:
    """Pictures (N, S, S, 3) uint8 RGB, mattes (N, S, S) uint8, head (N, 3) float32, item (N,) int32, portrait (N,)."""

    pictures: NDArray[np.uint8]
    mattes: NDArray[np.uint8]
    head: NDArray[np.float32]
    """Centre x, centre y and side of the crop around the head, in pixels of the picture."""
    item: NDArray[np.int32]
    portrait: NDArray[np.bool_]

    def crop(self, row: int) -> SquareCrop:
        """Return the crop around the head of one row."""
        return SquareCrop(*(float(number) for number in self.head[row]))


def head_crop(frame: Picture, detector: Detector) -> SquareCrop:
    """Return the crop around the largest face of an (H, W, 3) frame, or its central square if there is no face."""
    height, width = frame.shape[:2]
    # Heads fill the frames of the data, so the detector's smallest look is enough.
    scale = min(1.0, DETECTION_PIXELS / max(height, width))
    small = cv2.resize(frame, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
    found = detector.detect(np.asarray(small, np.uint8))
    if not found:
        return SquareCrop((width - 1) / 2, (height - 1) / 2, float(min(height, width)))
    box = max((one.box for one in found), key=lambda box: float((box[2] - box[0]) * (box[3] - box[1])))
    return crop_around(box.reshape(1, 2, 2) / scale, (width, height))


def scaled(crop: SquareCrop, scale: float) -> SquareCrop:
    """Return the crop in a picture that is `scale` times as large; pixel i covers i - 0.5 to i + 0.5."""
    return SquareCrop((crop.center_x + 0.5) * scale - 0.5, (crop.center_y + 0.5) * scale - 0.5, crop.side * scale)


def largest_square(crop: SquareCrop, size: tuple[int, int]) -> SquareCrop:
    """Return the largest square of a picture of `size` (width, height) that is centred on the crop if it can be."""
    side = float(min(size))
    center = np.clip((crop.center_x, crop.center_y), side / 2 - 0.5, np.array(size) - side / 2 - 0.5)
    return SquareCrop(float(center[0]), float(center[1]), side)


def labelled(item: Item, mattes: Path) -> Iterator[tuple[Picture, Picture]]:
    """Yield the labelled frames of an item, (H, W, 3) uint8, with their mattes, (h, w) uint8."""
    folder = "clips" if item.kind == "clip" else "portraits"
    with np.load(mattes / folder / f"{item.path.stem}.npz") as label:
        frames, known = label["frames"], label["mattes"]
    yield from zip(read_frames(item.path, frames), known, strict=False)


def build_cache(items: list[Item], mattes: Path, cache: Path, detector: Detector) -> MatteCache:
    """Open the cache of `items` in the folder `cache`; make it first if there is none."""
    if not (cache / "cache.json").exists():
        _write(items, mattes, cache, detector)
    count = json.loads((cache / "cache.json").read_text(encoding="utf-8"))["count"]
    shape = (count, SIZE_PIXELS, SIZE_PIXELS)
    with np.load(cache / "table.npz") as table:
        return MatteCache(
            pictures=np.memmap(cache / "pictures.u8", np.uint8, "r", shape=(*shape, 3)),
            mattes=np.memmap(cache / "mattes.u8", np.uint8, "r", shape=shape),
            head=table["head"],
            item=table["item"],
            portrait=table["portrait"],
        )


def _write(items: list[Item], mattes: Path, cache: Path, detector: Detector) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    heads, numbers, portraits = [], [], []
    with (cache / "pictures.u8").open("wb") as pictures, (cache / "mattes.u8").open("wb") as alphas:
        for number, item in enumerate(items):
            for frame, matte in labelled(item, mattes):
                head = head_crop(frame, detector)
                square = largest_square(head, (frame.shape[1], frame.shape[0]))
                pictures.write(sample(frame, square, SIZE_PIXELS).tobytes())
                small = scaled(square, matte.shape[1] / frame.shape[1])
                alphas.write(sample(matte, small, SIZE_PIXELS).tobytes())
                scale, corner = SIZE_PIXELS / square.side, np.array([square.center_x, square.center_y])
                place = (np.array([head.center_x, head.center_y]) - corner) * scale + (SIZE_PIXELS - 1) / 2
                heads.append((*place, head.side * scale))
                numbers.append(number)
                portraits.append(item.kind != "clip")
    np.savez(
        cache / "table.npz",
        head=np.array(heads, np.float32),
        item=np.array(numbers, np.int32),
        portrait=np.array(portraits),
    )
    (cache / "cache.json").write_text(json.dumps({"count": len(heads)}), encoding="utf-8")
