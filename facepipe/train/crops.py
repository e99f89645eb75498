"""Square crops to train the landmarker on: faces as tracking or a detection frames them, and crops without a face.

Half of the samples are framed as in tracking, half as after a detection: rotated by up to 45 degrees, off centre, too
large or too small. Some hold no face: a place beside one, a small part of a picture, a texture.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from facepipe.face import topology
from facepipe.face.cropping import SquareCrop, aligned_crop
from facepipe.train.augment import texture, weather
from facepipe.train.faces import FaceCache

PORTRAIT_SHARE, NO_FACE_SHARE, DETECTION_SHARE, RENDERED_SHARE = 0.4, 0.15, 0.45, 0.4
# Few people in the data look aside, and the network must learn turned heads from those few.
TURNED_SHARE, TURNED_SINE = 0.3, 0.3


def jittered(crop: SquareCrop, random: np.random.Generator, *, as_detection: bool) -> SquareCrop:
    """Return the crop with the random error of tracking or of a detection."""
    turn, scale, shift = (0.85, 0.22, 0.10) if as_detection else (0.12, 0.08, 0.04)
    offset = random.normal(0, shift * crop.side / 1.5, 2)
    return SquareCrop(
        crop.center_x + float(offset[0]),
        crop.center_y + float(offset[1]),
        crop.side * float(np.exp(random.uniform(-scale, scale))),
        crop.angle_radians + float(random.uniform(-turn, turn)),
    )


def yaw_sine(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (N,) absolute sines of yaw, from the depth of the outer eye corners of (N, 478, 3) points."""
    across = points[:, topology.LEFT_EYE_OUTER] - points[:, topology.RIGHT_EYE_OUTER]
    return np.abs(across[:, 2]) / np.linalg.norm(across, axis=1)  # type: ignore[no-any-return]


def _by_item(cache: FaceCache, rows: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    return [np.flatnonzero(rows & (cache.item == item)) for item in np.unique(cache.item[rows])]


class FaceSamples(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Endless random samples: picture (3, S, S) uint8, points (478, 3) in crop sides, 1 with a face and 0 without."""

    def __init__(
        self,
        cache: FaceCache,
        mirror: NDArray[np.intp],
        size_pixels: int,
        seed: int,
        *,
        rendered: FaceCache | None = None,
    ) -> None:
        self.cache, self.mirror, self.size_pixels, self.seed = cache, mirror, size_pixels, seed
        self.groups = [_by_item(cache, ~cache.portrait), _by_item(cache, cache.portrait)]
        self.turned = _by_item(cache, yaw_sine(cache.points) > TURNED_SINE)
        self.rendered = rendered

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        worker = get_worker_info()
        cv2.setNumThreads(1)
        random = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            picture, points, face = self.sample(random)
            yield torch.from_numpy(picture).permute(2, 0, 1), torch.from_numpy(points), torch.tensor(face)

    def pick(self, random: np.random.Generator) -> tuple[FaceCache, int]:
        """Choose a frame: first the kind, then the item, then the frame, so that long clips do not dominate."""
        if self.rendered and random.random() < RENDERED_SHARE:
            return self.rendered, int(random.integers(len(self.rendered.points)))
        group = self.groups[int(random.random() < PORTRAIT_SHARE)]
        if random.random() < TURNED_SHARE and self.turned:
            group = self.turned
        return self.cache, int(random.choice(group[random.integers(len(group))]))

    def sample(self, random: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32], float]:
        """Draw one sample."""
        (cache, index), (other_cache, other) = self.pick(random), self.pick(random)
        points = cache.points[index]
        crop = jittered(aligned_crop(points), random, as_detection=random.random() < DETECTION_SHARE)
        face = 1.0
        if random.random() < NO_FACE_SHARE:
            crop, face = self.beside(crop, random), 0.0
        matrix = crop.matrix(self.size_pixels)
        border = (cv2.BORDER_REPLICATE, cv2.BORDER_REFLECT_101, cv2.BORDER_CONSTANT)[random.integers(3)]
        size = (self.size_pixels, self.size_pixels)
        cut = cv2.warpAffine(cache.pictures[index], matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
        if not face and random.random() < 0.25:
            cut = texture(self.size_pixels, random)
        shape = crop.normalised(points).astype(np.float32)
        picture = weather(np.asarray(cut, np.uint8), other_cache.pictures[other], random)
        if random.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
            shape = ((shape * (-1, 1, 1) + (1, 0, 0))[self.mirror]).astype(np.float32)
        return picture, shape, face

    def beside(self, crop: SquareCrop, random: np.random.Generator) -> SquareCrop:
        """Return a crop without a whole face: beside it, or a small part of the picture."""
        if random.random() < 0.4:
            side = self.cache.pictures.shape[1]
            x, y = random.uniform(0, side, 2)
            return SquareCrop(float(x), float(y), crop.side * float(random.uniform(0.08, 0.35)), crop.angle_radians)
        angle, reach = random.uniform(0, 2 * np.pi), crop.side * random.uniform(0.65, 1.0)
        x, y = crop.center_x + reach * np.cos(angle), crop.center_y + reach * np.sin(angle)
        return SquareCrop(float(x), float(y), crop.side * float(random.uniform(0.7, 1.3)), crop.angle_radians)
