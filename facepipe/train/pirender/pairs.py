"""Training pairs of a renderer: a source with another frame of its clip, or with another person's motion.

The first kind has a true picture. The second has only the target landmarks, but renderers are used that way, and a clip
rarely shows its person in poses as far apart.
"""

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
from facepipe.face.pose import Similarity
from facepipe.renderers.mesh.renderer import MeshRenderer
from facepipe.rendering.conditioning import conditioning_of, motion_of, surface_table
from facepipe.rendering.source import Source, source_of_fit
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.retargeting import Retargeting
from facepipe.train.pirender.frame_cache import FrameCache, coefficients_of, fits_of, mirrored

# Pairs of one source before the next one is set up. With batches of four, each has one pair in another person's motion.
TARGETS_OF_A_SOURCE, CROSSED_OF_A_SOURCE = 3, 1
Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]


class Pair(NamedTuple):
    """One sample, or a batch of samples with an additional first axis."""

    source: Tensor
    """(3, S, S) uint8."""
    truth: Tensor
    """(3, S, S) uint8; meaningless if `crossed`."""
    prior: Tensor
    """(3, S, S) uint8."""
    position: Tensor
    """(2, S, S) float32; see `Conditioning`."""
    maps: Tensor
    """(9, S / 2, S / 2) float32; see `Conditioning`."""
    motion: Tensor
    """(70,) float32."""
    points: Tensor
    """(478, 3) float32, landmarks of the truth in pixels; if `crossed`, those of the target."""
    crossed: Tensor
    """() bool, whether the motion is that of another person."""


class Pairs(IterableDataset[Pair]):
    """Endless random pairs; every clip has the same probability, whatever its length."""

    def __init__(
        self, cache: FrameCache, model: FaceModel, seed: int, *, augment: bool = True, crossed: bool = False
    ) -> None:
        """With `crossed`, one pair in four has the motion of another person, if there are several people."""
        self.cache, self.model, self.seed, self.augment = cache, model, seed, augment
        self.fits = fits_of(cache, model)
        self.motions = coefficients_of(cache, self.fits) if crossed and len({*cache.persons}) > 1 else []

    def __iter__(self) -> Iterator[Pair]:
        worker = get_worker_info()
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        random = np.random.default_rng([self.seed, worker.id if worker else 0])
        # The number of pairs of a source is the same with and without other people.
        count = TARGETS_OF_A_SOURCE + (0 if self.motions else CROSSED_OF_A_SOURCE)
        while True:
            clip, flip, there = self.drawn(random)
            source, *targets = random.choice(there, 1 + count)
            yield from self.of_source(clip, int(source), [int(row) for row in targets], random, flip=flip)

    def drawn(self, random: np.random.Generator) -> tuple[int, bool, NDArray[np.intp]]:
        """Return a random clip, whether it is mirrored, and those of its frames that may be source or target."""
        clip, flip = int(random.integers(len(self.cache.names))), bool(self.augment and random.random() < 0.5)
        return clip, flip, np.flatnonzero(self.cache.valid[self.cache.clip(clip)])

    def of_source(
        self, clip: int, source: int, targets: list[int], random: np.random.Generator, *, flip: bool = False
    ) -> Iterator[Pair]:
        """Yield the pairs of one source frame with frames of its clip, then pairs with the motion of other people.

        Frames are numbered from the first frame of the clip.
        """
        fitted = self.fits[clip][int(flip)]
        change = colour_change(random) if self.augment else None
        picture, points = self.frame(clip, source, change, flip=flip)
        prior = MeshRenderer(self.model, portrait_at(picture, points, fitted, source))
        table = surface_table(self.model, prior.regions())

        def pair(truth: Picture, pose: Similarity, expression: Floats, seen: Floats | None) -> Pair:
            wanted = prior.target_points(expression, pose)[0]
            conditioning = conditioning_of(prior, table, wanted, pose)
            return Pair(
                to_tensor(picture),
                to_tensor(truth),
                to_tensor(conditioning.picture),
                torch.from_numpy(conditioning.position),
                torch.from_numpy(conditioning.maps),
                torch.from_numpy(motion_of(expression, pose, len(picture))[0]),
                torch.from_numpy((wanted if seen is None else seen).astype(np.float32)),
                torch.tensor(seen is None),
            )

        for row in targets:
            truth, seen = self.frame(clip, row, change, flip=flip)
            yield pair(truth, fitted.pose.rows(slice(row, row + 1)), fitted.expression[row : row + 1], seen)
        for _ in range(CROSSED_OF_A_SOURCE if self.motions else 0):
            driven = self.driven_by_another(clip, source, random, flip=flip)
            yield pair(picture, driven.pose(len(picture)), driven.expression, None)

    def frame(
        self, clip: int, row: int, change: NDArray[np.uint8] | None, *, flip: bool
    ) -> tuple[Picture, NDArray[np.float32]]:
        """Return a frame of a clip and its (478, 3) landmarks, mirrored if `flip` and with `change` as colour table."""
        at, side = self.cache.clip(clip).start + row, self.cache.frames.shape[1]
        picture, points = self.cache.frames[at], self.cache.points[at]
        if flip:
            picture, points = picture[:, ::-1], mirrored(points[None], self.model, side)[0]
        return np.ascontiguousarray(change[picture] if change is not None else picture), np.asarray(points)

    def driven_by_another(self, clip: int, source: int, random: np.random.Generator, *, flip: bool) -> Coefficients:
        """Return one row: the source frame with the motion of a random frame of another person's clip."""
        persons = np.array(self.cache.persons)
        other = int(random.choice(np.flatnonzero(persons != persons[clip])))
        driving = self.motions[other][int(random.integers(2))]
        own = self.motions[clip][int(flip)].rows(source, source + 1)
        row = int(random.choice(np.flatnonzero(driving.valid)))
        return own.space.retarget(own, driving, Retargeting(), self.model).rows(row, row + 1)


def portrait_at(picture: Picture, points: NDArray[np.floating], fitted: Fit, row: int) -> Source:
    """Return a frame of a fitted clip as a source."""
    return source_of_fit(picture, points.astype(np.float64), fitted, row)


def to_tensor(picture: Picture) -> Tensor:
    """Convert (S, S, 3) to (3, S, S)."""
    return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))


def colour_change(random: np.random.Generator) -> NDArray[np.uint8]:
    """Return a random (256,) table of brightness, contrast and gamma, which is applied to source and truth alike."""
    level = np.arange(256) / 255
    changed = level ** random.uniform(0.7, 1.4) * random.uniform(0.75, 1.15) + random.uniform(-0.05, 0.08)
    return np.asarray(np.clip(changed, 0, 1) * 255).round().astype(np.uint8)
