"""Pictures to train the matting network on: heads of many sizes, on their own background or on another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from facepipe.face.cropping import SquareCrop
from facepipe.train.augment import Picture, blur, compress, light, noise, texture
from facepipe.train.mattes import MatteCache

PORTRAIT_SHARE, NEW_BACKGROUND_SHARE, TEXTURE_SHARE, NOBODY_SHARE = 0.4, 0.35, 0.3, 0.06
# Side of a sample over the side of the crop around the head: the crops of this program, whole frames, and close-ups.
SMALLEST_SIDE, LARGEST_SIDE = 0.65, 1.9


class MatteSamples(IterableDataset[tuple[Tensor, Tensor]]):
    """Endless random samples: picture (3, S, S) uint8 and matte (S, S) uint8; `size_at(step)` returns S.

    All samples of a batch have one size. `first` is the step that the first batch is for.
    """

    def __init__(
        self,
        cache: MatteCache,
        rows: NDArray[np.bool_],
        seed: int,
        first: int,
        batch: int,
        size_at: Callable[[int], int],
    ) -> None:
        self.cache, self.seed, self.first, self.batch, self.size_at = cache, seed, first, batch, size_at
        self.groups = [
            [np.flatnonzero(chosen & (cache.item == item)) for item in np.unique(cache.item[chosen])]
            for chosen in (rows & ~cache.portrait, rows & cache.portrait)
        ]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        cv2.setNumThreads(1)
        random = np.random.default_rng([self.seed, self.first, worker.id if worker else 0])
        number = 0
        while True:
            picture, matte = self.sample(random, self.size_at(self.first + number // self.batch))
            number += 1
            yield torch.from_numpy(picture).permute(2, 0, 1), torch.from_numpy(matte)

    def pick(self, random: np.random.Generator) -> int:
        """Choose a frame: first the kind, then the item, then the frame, so that long clips do not dominate."""
        group = self.groups[int(random.random() < PORTRAIT_SHARE)] or self.groups[0] or self.groups[1]
        return int(random.choice(group[random.integers(len(group))]))

    def sample(self, random: np.random.Generator, size: int) -> tuple[Picture, Picture]:
        """Draw one sample. Some show nobody, so that the network knows empty pictures."""
        if random.random() < NOBODY_SHARE:
            return weather(self.background(size, random), random), np.zeros((size, size), np.uint8)
        row = self.pick(random)
        crop = framed(self.cache.crop(row), self.cache.pictures.shape[1], random)
        picture, matte = (cut(plane[row], crop, size) for plane in (self.cache.pictures, self.cache.mattes))
        if random.random() < NEW_BACKGROUND_SHARE:
            share = (matte.astype(np.float32) / 255)[..., None]
            behind = self.background(size, random)
            picture = (picture * share + behind * (1 - share) + 0.5).astype(np.uint8)
        picture = weather(picture, random)
        if random.random() < 0.5:
            picture, matte = np.ascontiguousarray(picture[:, ::-1]), np.ascontiguousarray(matte[:, ::-1])
        return picture, matte

    def background(self, size: int, random: np.random.Generator) -> Picture:
        """Make a picture without a person: a part of another frame beside its person, enlarged, or a texture."""
        if random.random() >= TEXTURE_SHARE:
            row, whole = self.pick(random), self.cache.pictures.shape[1]
            for _ in range(12):
                side = int(random.uniform(0.15, 0.5) * whole)
                left, top = random.integers(0, whole - side + 1, 2)
                place = np.s_[row, top : top + side, left : left + side]
                if self.cache.mattes[place].mean() < 4:
                    part = cv2.resize(self.cache.pictures[place], (size, size), interpolation=cv2.INTER_CUBIC)
                    turned = np.rot90(part, int(random.integers(4)))
                    return np.ascontiguousarray(turned, np.uint8)
        return texture(size, random)


def framed(head: SquareCrop, whole: int, random: np.random.Generator) -> SquareCrop:
    """Return a random crop: around the head, larger, smaller, shifted, rotated; one in six is the whole picture."""
    if random.random() < 1 / 6:
        return SquareCrop((whole - 1) / 2, (whole - 1) / 2, float(whole), float(random.normal(0, 0.05)))
    side = head.side * float(np.exp(random.uniform(np.log(SMALLEST_SIDE), np.log(LARGEST_SIDE))))
    if random.random() < 0.6:
        side = min(side, float(whole))
    x, y = np.array([head.center_x, head.center_y]) + random.normal(0, 0.1 * head.side, 2)
    if random.random() < 0.6:
        x, y = np.clip((x, y), min(side, whole) / 2 - 0.5, whole - min(side, whole) / 2 - 0.5)
    return SquareCrop(float(x), float(y), side, float(random.normal(0, 0.15)))


def cut(plane: NDArray[np.uint8], crop: SquareCrop, size: int) -> NDArray[np.uint8]:
    """Resample a crop to (size, size) or (size, size, 3); outside the picture, border pixels are repeated."""
    shrink = crop.side / size
    if shrink > 1.3:  # against aliasing
        plane = cv2.GaussianBlur(plane, (0, 0), 0.4 * shrink)  # type: ignore[assignment]
    border = cv2.BORDER_REPLICATE
    return np.asarray(cv2.warpAffine(plane, crop.matrix(size), (size, size), borderMode=border), np.uint8)


def weather(picture: Picture, random: np.random.Generator) -> Picture:
    """Change light, sharpness, noise and compression, each with its own probability. Nothing is occluded."""
    if random.random() < 0.6:
        picture = light(picture, random)
    if random.random() < 0.25:
        picture = blur(picture, random)
    if random.random() < 0.25:
        picture = noise(picture, random)
    if random.random() < 0.4:
        picture = compress(picture, random)
    return picture
