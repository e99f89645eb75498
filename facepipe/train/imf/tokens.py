"""The training of E_T, which comes before that of the other networks: tokens tell the landmarks of their frames.

Every frame is mirrored, turned, scaled, shifted, and seen in another light and sharpness, so that tokens of people who
were not seen in training are right too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset

from facepipe.face.model import FaceModel
from facepipe.renderers.imf.compact.motion import TokenEncoder
from facepipe.train.imf.beginning import Basis, basis_of, point_targets, regress
from facepipe.train.imf.couples import MOVED_SHARE, random_move
from facepipe.train.pirender.frame_cache import FrameCache, mirrored
from facepipe.train.pirender.pairs import colour_change, to_tensor
from facepipe.train.points import point_loss

FRAMES = 3000
# Weight of the distance of tokens, of unit variance, beside that of points.
TOKEN_WEIGHT = 0.1
# Rate of the last layer as a share of that of the convolutions: all of its 1600 inputs are positive.
REGRESSION_SHARE = 0.05
Sample = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class TokenRecipe:
    """Hyperparameters of the training of E_T."""

    images: int = 60_000
    batch: int = 32
    peak_rate: float = 5e-4
    warm_up: int = 50
    seed: int = 1

    def rate(self, step: int) -> float:
        """Return the learning rate: linear warm-up, then a half cosine to 0."""
        rise = min(1.0, (step + 1) / self.warm_up)
        return self.peak_rate * rise * 0.5 * (1 + math.cos(math.pi * min(1.0, step * self.batch / self.images)))


class Faces(IterableDataset[Sample]):
    """Endless random frames of some clips with their points in pixels."""

    def __init__(self, cache: FrameCache, model: FaceModel, clips: list[int], seed: int) -> None:
        self.cache, self.model, self.clips, self.seed = cache, model, clips, seed

    def __iter__(self) -> Iterator[Sample]:
        random = np.random.default_rng(self.seed)
        while True:
            rows = self.cache.clip(int(random.choice(self.clips)))
            at = int(random.choice(rows.start + np.flatnonzero(self.cache.valid[rows])))
            yield varied_frame(np.asarray(self.cache.frames[at]), np.asarray(self.cache.points[at]), self.model, random)


def varied_frame(
    picture: NDArray[np.uint8], points: NDArray[np.floating], model: FaceModel, random: np.random.Generator
) -> Sample:
    """Return a frame and its points, varied at random."""
    side = len(picture)
    if random.random() < 0.5:
        picture, points = np.ascontiguousarray(picture[:, ::-1]), mirrored(points[None], model, side)[0]
    if random.random() < MOVED_SHARE:
        move = random_move(random, side)
        matrix = move.scale * move.turn
        affine = np.concatenate([matrix[:2, :2], move.shift[:2, None]], 1)
        picture = np.asarray(cv2.warpAffine(picture, affine, (side, side), borderMode=cv2.BORDER_REFLECT_101), np.uint8)
        points = points @ matrix.T + move.shift
    if random.random() < 0.3:
        few = int(side * random.uniform(0.35, 0.8))
        small = cv2.resize(picture, (few, few), interpolation=cv2.INTER_AREA)
        picture = np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)
    picture = colour_change(random)[picture]
    return to_tensor(picture), torch.from_numpy(np.array(points, np.float32))


def begin_tokens(encoder: TokenEncoder, cache: FrameCache, model: FaceModel, clips: list[int], count: int) -> Basis:
    """Choose what tokens mean, and make the last layer of E_T the regression of it. Returns the meaning."""
    random = np.random.default_rng(0)
    rows = np.concatenate([np.arange(cache.clip(clip).start, cache.clip(clip).stop) for clip in clips])
    rows = rows[cache.valid[rows]]
    chosen = np.sort(random.choice(rows, min(FRAMES, len(rows)), replace=False))
    samples = [varied_frame(np.asarray(cache.frames[at]), np.asarray(cache.points[at]), model, random) for at in chosen]
    frames, points = (torch.stack(part) for part in zip(*samples, strict=True))
    targets = point_targets(points, frames.shape[-1])
    basis = basis_of(targets, count)
    regress(encoder, frames, basis.tokens(targets))
    return basis


def train_tokens(
    encoder: TokenEncoder,
    basis: Basis,
    faces: Faces,
    recipe: TokenRecipe,
    precision: Callable[[], AbstractContextManager[object]],
) -> None:
    """Train E_T until tokens tell the landmarks."""
    weight, bias = basis.head()
    groups = ((encoder.features, 1.0), (encoder.linear, REGRESSION_SHARE))
    shares = [share for _, share in groups]
    optimiser = torch.optim.AdamW(
        [{"params": [*part.parameters()]} for part, _ in groups], lr=recipe.peak_rate, weight_decay=1e-4, fused=True
    )
    began, total = time.monotonic(), 0.0
    stream = iter(DataLoader(faces, batch_size=recipe.batch))
    for step in range(recipe.images // recipe.batch):
        for group, share in zip(optimiser.param_groups, shares, strict=True):
            group["lr"] = share * recipe.rate(step)
        frames, points = next(stream)
        targets = point_targets(points, frames.shape[-1])
        with precision():
            tokens = encoder((frames.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last))
        found = functional.linear(tokens, weight, bias).view_as(targets)
        loss = point_loss(found, targets).mean()
        loss = loss + TOKEN_WEIGHT * functional.smooth_l1_loss(tokens, basis.tokens(targets))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimiser.step()
        total += float(loss.detach())
        if (step + 1) % 100 == 0:
            speed = (step + 1) * recipe.batch / (time.monotonic() - began)
            print(f"tokens: {(step + 1) * recipe.batch} images, {speed:.0f}/s: loss {total / 100:.4f}", flush=True)
            total = 0.0
