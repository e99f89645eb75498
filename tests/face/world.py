"""A world of rendered faces, with stub networks that know it and count their calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.face.cropping import SquareCrop, box_of
from facepipe.face.detector import Detection
from facepipe.face.landmarker import Located
from tests.face.faces import posed

Picture = NDArray[np.uint8]
WIDTH, HEIGHT = 320, 200


@dataclass(frozen=True)
class Figure:
    """One head in one frame; `looks` seeds its texture."""

    x: float
    y: float = 100.0
    size: float = 30.0
    looks: int = 0
    roll: float = 0.0

    @property
    def points(self) -> NDArray[np.float32]:
        face = posed(degrees=(0, 0, self.roll), size=self.size, middle=(self.x, self.y))
        return np.asarray(face, np.float32)


@dataclass
class World:
    """Frames of heads; later heads of a frame are in front. The world is its own detector and landmarker."""

    frames: list[list[Figure]]
    detections: int = 0
    crops: list[SquareCrop] = field(default_factory=list)
    """All crops that the landmarker received."""

    def pictures(self) -> list[Picture]:
        return [self.draw(number) for number in range(len(self.frames))]

    def draw(self, number: int) -> Picture:
        """Render a frame: its number is in the first pixel, and each head is a patch with its own texture."""
        picture = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        for one in self.frames[number]:
            texture = np.random.default_rng(one.looks).integers(0, 256, (6, 6, 3)).astype(np.uint8)
            left, top, right, bottom = box_of(one.points).round().astype(int).tolist()
            patch = cv2.resize(texture, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
            inside = (slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right)))
            window = picture[inside]
            window[:] = patch[max(0, -top) :, max(0, -left) :][: window.shape[0], : window.shape[1]]
        picture[0, 0] = number
        return picture

    def seen(self, picture: Picture) -> list[Figure]:
        """Return the heads of a frame that are not hidden by others."""
        heads = self.frames[int(picture[0, 0, 0])]
        return [
            one
            for index, one in enumerate(heads)
            if all(np.hypot(one.x - other.x, one.y - other.y) > 0.8 * one.size for other in heads[index + 1 :])
        ]

    def detect(self, picture: Picture) -> list[Detection]:
        self.detections += 1
        return [Detection(box_of(one.points), 0.9) for one in self.seen(picture)]

    def locate(self, pictures: Sequence[Picture], crops: Sequence[SquareCrop]) -> Located:
        self.crops += crops
        points, scores = [], []
        for picture, crop in zip(pictures, crops, strict=True):
            near = [
                (distance / crop.side, one)
                for one in self.seen(picture)
                if (distance := float(np.hypot(one.x - crop.center_x, one.y - crop.center_y))) < 0.4 * crop.side
            ]
            nothing = Figure(crop.center_x, crop.center_y, crop.side / 3)
            away, one = min(near, key=lambda pair: pair[0], default=(1.0, nothing))
            points.append(one.points)
            scores.append(0.98 - 0.2 * away if near else 0.02)
        return Located(np.stack(points), np.array(scores, np.float32))
