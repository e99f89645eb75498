"""Training pairs of the compact bi-layer network: those of the compact renderer, with mattes and keypoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from facepipe.face.model import FaceModel
from facepipe.face.pose import Similarity
from facepipe.renderers.bilayer.compact.renderer import keypoints_of
from facepipe.renderers.mesh.renderer import MeshRenderer
from facepipe.rendering.conditioning import conditioning_of, surface_table
from facepipe.train.pirender.frame_cache import FrameCache
from facepipe.train.pirender.pairs import (
    CROSSED_OF_A_SOURCE,
    TARGETS_OF_A_SOURCE,
    Pairs,
    colour_change,
    portrait_at,
    to_tensor,
)

Floats = NDArray[np.floating]
# Pairs of one source, consecutive in a stream of pairs: batches are multiples of it, and embed every source once.
PAIRS_OF_A_SOURCE = TARGETS_OF_A_SOURCE + CROSSED_OF_A_SOURCE


class HeadPair(NamedTuple):
    """One sample, or a batch of samples with an additional first axis. S is the side of the pictures."""

    source: Tensor
    """(3, S, S) uint8."""
    source_matte: Tensor
    """(1, 128, 128) uint8."""
    source_maps: Tensor
    """(9, S / 2, S / 2) float32, the prior's maps in the source's own pose."""
    truth: Tensor
    """(3, S, S) uint8; meaningless if `crossed`."""
    matte: Tensor
    """(1, 128, 128) uint8, the truth's; meaningless if `crossed`."""
    prior: Tensor
    """(3, S, S) uint8."""
    position: Tensor
    """(2, S, S) float32; see `Conditioning`."""
    maps: Tensor
    """(9, S / 2, S / 2) float32; see `Conditioning`."""
    keypoints: Tensor
    """(136,) float32, x0, y0, x1, ... of the target in [-1, 1] of the picture."""
    points: Tensor
    """(478, 3) float32, landmarks of the truth in pixels; if `crossed`, those of the target."""
    crossed: Tensor
    """() bool, whether the motion is that of another person."""


class HeadBatch(NamedTuple):
    """A batch of pairs as input of the network: pictures in [-1, 1], mattes in [0, 1] at the side of the pictures.

    The parts of the source have one row for each of the batch's sources.
    """

    source: Tensor
    source_matte: Tensor
    source_maps: Tensor
    truth: Tensor
    matte: Tensor
    prior: Tensor
    position: Tensor
    maps: Tensor
    keypoints: Tensor
    points: Tensor
    crossed: Tensor


class HeadPairs(Pairs):
    """Endless random pairs; the pairs of one source are consecutive."""

    def __init__(
        self,
        cache: FrameCache,
        mattes: NDArray[np.uint8],
        model: FaceModel,
        seed: int,
        *,
        augment: bool = True,
        crossed: bool = False,
    ) -> None:
        super().__init__(cache, model, seed, augment=augment, crossed=crossed)
        self.mattes = mattes

    def __iter__(self) -> Iterator[HeadPair]:  # type: ignore[override]
        yield from super().__iter__()  # type: ignore[misc]

    def of_source(  # type: ignore[override]
        self, clip: int, source: int, targets: list[int], random: np.random.Generator, *, flip: bool = False
    ) -> Iterator[HeadPair]:
        """Yield the pairs of one source frame with frames of its clip, then pairs with the motion of other people.

        Frames are numbered from the first frame of the clip.
        """
        fitted = self.fits[clip][int(flip)]
        change = colour_change(random) if self.augment else None
        picture, points = self.frame(clip, source, change, flip=flip)
        prior = MeshRenderer(self.model, portrait_at(picture, points, fitted, source))
        table, side = surface_table(self.model, prior.regions()), len(picture)
        own_pose = fitted.pose.rows(slice(source, source + 1))
        own = conditioning_of(
            prior, table, prior.target_points(fitted.expression[source : source + 1], own_pose)[0], own_pose
        )
        start = (to_tensor(picture), self.matte(clip, source, flip=flip), torch.from_numpy(own.maps))

        def pair(
            truth: NDArray[np.uint8], matte: Tensor, pose: Similarity, expression: Floats, seen: Floats | None
        ) -> HeadPair:
            wanted = prior.target_points(expression, pose)[0]
            conditioning = conditioning_of(prior, table, wanted, pose)
            return HeadPair(
                *start,
                to_tensor(truth),
                matte,
                to_tensor(conditioning.picture),
                torch.from_numpy(conditioning.position),
                torch.from_numpy(conditioning.maps),
                torch.from_numpy(keypoints_of(wanted, self.model, side)),
                torch.from_numpy((wanted if seen is None else seen).astype(np.float32)),
                torch.tensor(seen is None),
            )

        for row in targets:
            truth, seen = self.frame(clip, row, change, flip=flip)
            matte = self.matte(clip, row, flip=flip)
            yield pair(truth, matte, fitted.pose.rows(slice(row, row + 1)), fitted.expression[row : row + 1], seen)
        for _ in range(CROSSED_OF_A_SOURCE if self.motions else 0):
            driven = self.driven_by_another(clip, source, random, flip=flip)
            yield pair(picture, start[1], driven.pose(side), driven.expression, None)

    def matte(self, clip: int, row: int, *, flip: bool) -> Tensor:
        """Return the (1, 128, 128) uint8 matte of a frame of a clip, mirrored if `flip`."""
        matte = self.mattes[self.cache.clip(clip).start + row]
        return torch.from_numpy(np.array(matte[:, ::-1] if flip else matte))[None]


def to_batch(pair: HeadPair) -> HeadBatch:
    """Convert a batch of pairs, whose sources have PAIRS_OF_A_SOURCE consecutive rows each."""
    side = pair.truth.shape[-1]

    def picture(part: Tensor) -> Tensor:
        return (part.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)

    def matte(part: Tensor) -> Tensor:
        return functional.interpolate(part.float() / 255, size=(side, side), mode="bilinear", align_corners=False)

    every = slice(None, None, PAIRS_OF_A_SOURCE)
    return HeadBatch(
        picture(pair.source[every]),
        matte(pair.source_matte[every]),
        pair.source_maps[every],
        picture(pair.truth),
        matte(pair.matte),
        picture(pair.prior),
        *pair[6:],
    )
