"""Pairs of frames to train a renderer on: a source and another frame of the same clip, with what the prior says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from facepipe.face.fitting import Fit
from facepipe.face.model import FaceModel
from facepipe.renderers.compact.hints import hints_of, motion_of, surface_table
from facepipe.renderers.mesh.renderer import MeshRenderer
from facepipe.renderers.portrait import Portrait
from facepipe.train.pirender.heads import Heads, fits_of, mirrored

# Drawings of one source, before the next is set up.
TARGETS_OF_A_SOURCE = 3
Picture = NDArray[np.uint8]


class Pair(NamedTuple):
    """One sample, or a batch of them with a first axis more."""

    source: Tensor
    """(3, S, S) uint8."""
    truth: Tensor
    """(3, S, S) uint8."""
    prior: Tensor
    """(3, S, S) uint8."""
    position: Tensor
    """(2, S, S) float32; see `Hints`."""
    maps: Tensor
    """(9, S / 2, S / 2) float32; see `Hints`."""
    motion: Tensor
    """(70,) float32."""
    points: Tensor
    """(478, 2) float32, landmarks of the truth in pixels."""


class Pairs(IterableDataset[Pair]):
    """Endless random pairs; every clip is as likely as any other, whatever its length."""

    def __init__(self, heads: Heads, model: FaceModel, seed: int, *, augment: bool = True) -> None:
        self.heads, self.model, self.seed, self.augment = heads, model, seed, augment
        self.fits = fits_of(heads, model)

    def __iter__(self) -> Iterator[Pair]:
        worker = get_worker_info()
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        random = np.random.default_rng([self.seed, worker.id if worker else 0])
        while True:
            clip, flip = int(random.integers(len(self.heads.names))), self.augment and random.random() < 0.5
            there = np.flatnonzero(self.heads.valid[self.heads.clip(clip)])
            source, *targets = random.choice(there, 1 + TARGETS_OF_A_SOURCE)
            yield from self.drawn(clip, int(source), [int(row) for row in targets], random, flip=flip)

    def drawn(
        self, clip: int, source: int, targets: list[int], random: np.random.Generator, *, flip: bool = False
    ) -> Iterator[Pair]:
        """Yield the pairs of one source frame with some target frames of a clip, counted from its first frame."""
        rows, fitted = self.heads.clip(clip), self.fits[clip][int(flip)]
        side = self.heads.frames.shape[1]
        change = colour_change(random) if self.augment else None

        def frame(row: int) -> tuple[Picture, NDArray[np.float32]]:
            picture, points = self.heads.frames[rows.start + row], self.heads.points[rows.start + row]
            if flip:
                picture, points = picture[:, ::-1], mirrored(points[None], self.model, side)[0]
            return np.ascontiguousarray(change[picture] if change is not None else picture), np.asarray(points)

        picture, points = frame(source)
        prior = MeshRenderer(self.model, portrait_at(picture, points, fitted, source))
        table = surface_table(self.model, prior.regions())
        for row in targets:
            truth, seen = frame(row)
            pose, expression = fitted.pose.rows(slice(row, row + 1)), fitted.expression[row : row + 1]
            hints = hints_of(prior, table, prior.target_points(expression, pose)[0], pose)
            yield Pair(
                to_tensor(picture),
                to_tensor(truth),
                to_tensor(hints.picture),
                torch.from_numpy(hints.position),
                torch.from_numpy(hints.maps),
                torch.from_numpy(motion_of(expression, pose, side)[0]),
                torch.from_numpy(seen[:, :2].astype(np.float32)),
            )


def portrait_at(picture: Picture, points: NDArray[np.floating], fitted: Fit, row: int) -> Portrait:
    """Return a frame of a fitted clip as a source."""
    pose = fitted.pose.rows(slice(row, row + 1))
    return Portrait(picture, points.astype(np.float64), pose, fitted.identity, fitted.expression[row])


def to_tensor(picture: Picture) -> Tensor:
    """Turn (S, S, 3) into (3, S, S)."""
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


def colour_change(random: np.random.Generator) -> NDArray[np.uint8]:
    """Return a (256,) table of brightness, contrast and gamma that source and truth go through alike."""
    level = np.arange(256) / 255
    changed = level ** random.uniform(0.7, 1.4) * random.uniform(0.75, 1.15) + random.uniform(-0.05, 0.08)
    return np.asarray(np.clip(changed, 0, 1) * 255).round().astype(np.uint8)
