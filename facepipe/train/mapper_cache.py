"""Samples of the mapper's training, cropped and small: posed avatars, and observed portraits with labels."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facepipe.avatar.mesh import PARTS as MESH_PARTS
from facepipe.creation.mapping import CLOSE_MIDDLE, CLOSE_SIDE, SEEN_PIXELS
from facepipe.creation.observation import SIDE_PIXELS, Observation, face_frame
from facepipe.face.cropping import SquareCrop, transform_points
from facepipe.models.avatar_mapper import PARTS
from facepipe.train.avatar_pictures import decoded

MARGIN = 1.125
"""Side of a cached crop in sides of the mapper's, so that crops can be moved."""
CACHED_PIXELS = round(MARGIN * SEEN_PIXELS)
Arrays = Mapping[str, NDArray[Any]]


def class_numbers() -> NDArray[np.uint8]:
    """Return the class (15,) of PARTS of each number in pictures of parts."""
    names = ["background", *MESH_PARTS]
    return np.array([PARTS.index(name) if name in PARTS else PARTS.index("skin") for name in names], np.uint8)


@dataclass(frozen=True)
class Samples:
    """N samples. Pictures have C = CACHED_PIXELS."""

    wide: Tensor
    """(N, 5, C, C) uint8: RGB, matte, and what is inside of the portrait."""
    close: Tensor
    """(N, 4, C, C) uint8: RGB and matte."""
    points: Tensor
    """(N, 478, 3) float32, pixels of the frame."""
    parts: Tensor
    """(N, C / 2, C / 2) uint8, classes; empty for portraits."""
    numbers: Tensor
    """(N, continuous) float32; empty for portraits."""
    choices: Tensor
    """(N, 6) int64; empty for portraits."""

    def __len__(self) -> int:
        return len(self.wide)

    def rows(self, rows: Tensor) -> Samples:
        """Return chosen samples."""
        return Samples(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def close_frame(frame: SquareCrop) -> SquareCrop:
    """Return the close crop of a frame of the face."""
    across, down = ((middle - 0.5) * frame.side for middle in CLOSE_MIDDLE)
    cos, sin = np.cos(frame.angle_radians), np.sin(frame.angle_radians)
    return SquareCrop(
        float(frame.center_x + cos * across - sin * down),
        float(frame.center_y + sin * across + cos * down),
        CLOSE_SIDE * frame.side,
        frame.angle_radians,
    )


def cut(plane: NDArray[np.uint8], frame: SquareCrop, size: int, *, classes: bool = False) -> NDArray[np.uint8]:
    """Return a crop with margin of a plane or picture; the nearest pixels of `classes`."""
    wider = SquareCrop(frame.center_x, frame.center_y, MARGIN * frame.side, frame.angle_radians)
    if not classes:
        shrink = wider.side / size
        if shrink > 1.3:
            plane = np.asarray(cv2.GaussianBlur(plane, (0, 0), 0.4 * shrink), np.uint8)
    flags = cv2.INTER_NEAREST if classes else cv2.INTER_LINEAR
    found = cv2.warpAffine(plane, wider.matrix(size), (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.uint8)


def _sample_of(arrays: Arrays, row: int, table: NDArray[np.uint8]) -> tuple[NDArray[Any], ...]:
    points = arrays["points"][row].astype(np.float64)
    frame = face_frame(points)
    near = close_frame(frame)
    colour, alpha = decoded(dict(arrays), "posed", row), decoded(dict(arrays), "alpha", row)
    planes = np.dstack([colour, alpha, np.full_like(alpha, 255)])
    classes = table[decoded(dict(arrays), "parts", row)]
    return (
        cut(planes[..., :4], frame, CACHED_PIXELS).transpose(2, 0, 1),
        cut(planes[..., :4], near, CACHED_PIXELS).transpose(2, 0, 1),
        transform_points(points, frame.matrix(SIDE_PIXELS)).astype(np.float32),
        cut(classes, frame, CACHED_PIXELS // 2, classes=True),
    )


def avatar_samples(path: Path, cache: Path) -> Samples:
    """Return the samples of a shard of `facepipe train avatar-pictures`; cropped once, then read from the cache."""
    made = cache / f"{path.stem}.npz"
    if not made.exists():
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        table = class_numbers()
        found = [_sample_of(arrays, row, table) for row in range(len(arrays["numbers"]))]
        wide, close, points, parts = (np.stack(one) for one in zip(*found, strict=True))
        cache.mkdir(parents=True, exist_ok=True)
        unfinished = cache / f"{path.stem}.part.npz"
        np.savez(
            unfinished,
            allow_pickle=False,
            wide=wide,
            close=close,
            points=points,
            parts=parts,
            numbers=arrays["numbers"],
            choices=arrays["choices"],
        )
        unfinished.replace(made)
    with np.load(made) as file:
        planes = {name: torch.from_numpy(file[name]) for name in file.files}
    inside = torch.full_like(planes["wide"][:, :1], 255)
    planes["wide"] = torch.cat([planes["wide"], inside], 1)
    planes["choices"] = planes["choices"].long()
    return Samples(**planes)


def portrait_samples(observations: tuple[Observation, ...]) -> Samples:
    """Return observed portraits as samples; beyond their frame the border is continued."""
    rows = [_portrait_planes(one) for one in observations]
    wide, close = (torch.from_numpy(np.stack(planes)) for planes in zip(*rows, strict=True))
    points = torch.from_numpy(np.stack([one.points for one in observations]))
    nothing = torch.zeros(len(rows), 0)
    return Samples(wide, close, points, nothing.byte(), nothing, nothing.long())


def _portrait_planes(one: Observation) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    shares = [np.round(255 * plane).astype(np.uint8) for plane in (one.matte, one.inside)]
    planes = np.dstack([one.picture, *shares])
    frame = SquareCrop((SIDE_PIXELS - 1) / 2, (SIDE_PIXELS - 1) / 2, SIDE_PIXELS)
    near = cut(np.ascontiguousarray(planes[..., :4]), close_frame(frame), CACHED_PIXELS)
    return _cut_planes(planes, frame).transpose(2, 0, 1), near.transpose(2, 0, 1)


def _cut_planes(planes: NDArray[np.uint8], frame: SquareCrop) -> NDArray[np.uint8]:
    first = cut(np.ascontiguousarray(planes[..., :3]), frame, CACHED_PIXELS)
    rest = cut(np.ascontiguousarray(planes[..., 3:]), frame, CACHED_PIXELS)
    return np.dstack([first, rest])


def labels_of(paths: list[Path]) -> dict[str, dict[str, str]]:
    """Return the labels of portraits and clips by file name."""
    found = {}
    for path in paths:
        with path.open(encoding="utf-8", newline="") as table:
            for row in csv.DictReader(table, delimiter="\t"):
                found[row["file"]] = row
    return found


def shards(folder: Path) -> Iterator[Path]:
    """Yield the finished shards of a folder."""
    yield from sorted(folder.glob("avatars-*.npz"))
