"""Scenes to train the detector on: faces of all sizes on varied backgrounds, and scenes without a face."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from facepipe.face.cropping import SquareCrop, box_of, transform_points
from facepipe.models.detector import STRIDE_PIXELS
from facepipe.train.augment import Picture, texture, weather
from facepipe.train.faces import FaceCache

MIN_PIXELS, MAX_PIXELS = 14, 235
ONE_FACE_SHARE, MANY_FACES_SHARE = 0.5, 0.25


class SceneSamples(IterableDataset[tuple[Tensor, Tensor, Tensor, Tensor]]):
    """Endless scenes: picture (3, S, S) uint8; per cell of 8 pixels, heat, 4 logarithms of box distances, weight."""

    def __init__(self, cache: FaceCache, size_pixels: int, seed: int) -> None:
        self.cache, self.size, self.seed = cache, size_pixels, seed
        self.boxes = box_of(cache.points)
        self.items = [np.flatnonzero(cache.item == item) for item in np.unique(cache.item)]

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        worker = get_worker_info()
        cv2.setNumThreads(1)
        random = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            picture, boxes = self.scene(random)
            heat, box_log, weight = targets(boxes, self.size)
            yield (
                torch.from_numpy(picture).permute(2, 0, 1),
                torch.from_numpy(heat),
                torch.from_numpy(box_log),
                torch.from_numpy(weight),
            )

    def pick(self, random: np.random.Generator) -> int:
        """Choose a frame; every item has the same probability."""
        return int(random.choice(self.items[random.integers(len(self.items))]))

    def background(self, random: np.random.Generator) -> Picture:
        """Make a picture without a face: a window beside a face, a covered face, or a texture."""
        if random.random() < 0.25:
            return texture(self.size, random)
        index = self.pick(random)
        picture, (left, top, right, bottom) = self.cache.pictures[index].copy(), self.boxes[index]
        grow_x, grow_y = 0.2 * (right - left), 0.35 * (bottom - top)
        box = np.array([left - grow_x, top - grow_y, right + grow_x, bottom + grow_y * 0.6])
        side = picture.shape[0]
        low, high = np.clip(box, 0, side).astype(int)[:2], np.clip(box, 0, side).astype(int)[2:]
        picture[low[1] : high[1], low[0] : high[0]] = cv2.resize(
            self.cover(side, random), tuple((high - low).clip(1).tolist())
        )[: high[1] - low[1], : high[0] - low[0]]
        zoom = random.uniform(0.3, 1.0) * side
        x, y = random.uniform(zoom / 2, side - zoom / 2 + 1e-3, 2).tolist()
        matrix = SquareCrop(x, y, zoom, float(random.uniform(-3.2, 3.2))).matrix(self.size)
        window = cv2.warpAffine(picture, matrix, (self.size, self.size), borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(window, np.uint8)

    def cover(self, side: int, random: np.random.Generator) -> Picture:
        """Make a picture that covers a face: a texture, or the bottom of another picture (mostly clothes)."""
        if random.random() < 0.5:
            return texture(side, random)
        other = self.pick(random)
        bottom = int(min(self.boxes[other][3] + 8, side - 24))
        return np.asarray(self.cache.pictures[other][bottom:, :])

    def place(
        self,
        canvas: Picture,
        index: int,
        size_pixels: float,
        center: NDArray[np.floating],
        random: np.random.Generator,
        *,
        reach: float,
    ) -> NDArray[np.floating]:
        """Draw a face of `size_pixels` at `center` with its surroundings up to `reach` face sizes; return its box."""
        left, top, right, bottom = self.boxes[index]
        scale = size_pixels / max(right - left, bottom - top)
        crop_side = self.size / scale
        angle = float(random.uniform(-0.8, 0.8))
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.array([(left + right) / 2, (top + bottom) / 2]) - turn @ ((center - self.size / 2) / scale)
        matrix = SquareCrop(float(middle[0]), float(middle[1]), float(crop_side), angle).matrix(self.size)
        reach_pixels = reach * size_pixels
        low = np.clip(center - reach_pixels, 0, self.size).astype(int)
        high = np.clip(center + reach_pixels, 0, self.size).astype(int)
        source, window_matrix = self.cache.pictures[index], matrix - np.array([[0, 0, low[0]], [0, 0, low[1]]])
        if scale < 0.6:
            shrink = int(np.ceil(0.8 / scale))
            size = (source.shape[1] // shrink, source.shape[0] // shrink)
            source = np.asarray(cv2.resize(source, size, interpolation=cv2.INTER_AREA), np.uint8)
            offset = (shrink - 1) / 2 * window_matrix[:, :2].sum(1, keepdims=True)
            window_matrix = np.concatenate([window_matrix[:, :2] * shrink, window_matrix[:, 2:] + offset], axis=1)
        window = canvas[low[1] : high[1], low[0] : high[0]]
        size = (window.shape[1], window.shape[0])
        cv2.warpAffine(
            source, window_matrix, size, dst=window, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
        )
        return box_of(transform_points(self.cache.points[index], matrix))

    def scene(self, random: np.random.Generator) -> tuple[Picture, list[NDArray[np.floating]]]:
        """Compose one scene and the (left, top, right, bottom) boxes of its faces in pixels."""
        canvas, boxes, draw = self.background(random), [], random.random()
        if draw < ONE_FACE_SHARE:
            size = float(np.exp(random.uniform(np.log(30), np.log(MAX_PIXELS))))
            center = random.uniform(min(size * 0.4, self.size / 2), max(self.size - size * 0.4, self.size / 2 + 1), 2)
            boxes.append(self.place(canvas, self.pick(random), size, center, random, reach=9))
        elif draw < ONE_FACE_SHARE + MANY_FACES_SHARE:
            cells = int(random.integers(2, 5))
            for cell in random.permutation(cells * cells)[: random.integers(2, 7)]:
                pitch = self.size / cells
                size = float(np.exp(random.uniform(np.log(MIN_PIXELS), np.log(pitch * 0.75))))
                corner = np.array([cell % cells, cell // cells]) * pitch
                center = corner + random.uniform(
                    min(size * 0.6, pitch * 0.49), max(pitch - size * 0.6, pitch * 0.51), 2
                )
                boxes.append(self.place(canvas, self.pick(random), size, center, random, reach=0.62))
        return weather(canvas, self.cache.pictures[self.pick(random)], random), boxes


def targets(
    boxes: list[NDArray[np.floating]], size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return heat map, logarithms of box distances and box weights for faces in a square of `size` pixels."""
    cells = size // STRIDE_PIXELS
    heat, weight = np.zeros((cells, cells), np.float32), np.zeros((cells, cells), np.float32)
    box_log = np.zeros((4, cells, cells), np.float32)
    y, x = (np.mgrid[:cells, :cells] + 0.5).astype(np.float32)
    for box in boxes:
        left, top, right, bottom = (float(edge) / STRIDE_PIXELS for edge in box)
        center_x, center_y = (left + right) / 2, (top + bottom) / 2
        spread = max(0.6, 0.10 * max(right - left, bottom - top))
        bump = np.exp(-((x - center_x) ** 2 + (y - center_y) ** 2) / (2 * spread**2)).astype(np.float32)
        cell_x, cell_y = int(np.clip(center_x, 0, cells - 1)), int(np.clip(center_y, 0, cells - 1))
        bump[cell_y, cell_x] = 1.0
        here = (bump > 0.35) & (bump >= heat)
        distances = np.stack([x - left, y - top, right - x, bottom - y]).clip(0.05)
        box_log[:, here] = np.log(distances[:, here])
        weight[here] = bump[here]
        heat = np.maximum(heat, bump)
    return heat, box_log, weight
