"""Mattes: the share of the person, with hair and shoulders, in each pixel of a picture or clip.

The network sees a picture of about 256x256. Its matte is enlarged to the picture by a guided filter (He and Sun 2015,
Fast Guided Filter), so that edges follow the pixels of the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.checkpoint import load_network
from facepipe.device import in_parallel, lone_threads, thread_count
from facepipe.models import matting as network
from facepipe.models.matting import STRIDE_PIXELS

Picture = NDArray[np.uint8]
Matte = NDArray[np.float32]
Scalar = TypeVar("Scalar", np.uint8, np.float32)
SEEN_PIXELS = 256
# Radius in pixels of the network's picture, and regularisation relative to the squared range of grey values.
GUIDE_RADIUS, GUIDE_FLATNESS = 3, 1e-3
# A pixel joins the mean over neighbouring frames as far as its grey value, blurred, stays within this of 0 to 1.
STILL_DIFFERENCE, NEIGHBOUR_SHARE = 0.02, 0.75
# Networks leave a haze over backgrounds, and do not quite cover persons: shares beyond these become 0 and 1. On 32
# portraits of seen people this lowers the mean error against the teacher from 0.042 to 0.037.
CERTAIN_SHARES = (0.1, 0.9)


class Glance(NamedTuple):
    """A picture as the network saw it."""

    grey: Matte
    """(h, w), 0 to 1."""
    matte: Matte
    """(h, w), 0 to 1."""


def seen_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) at which the network sees a picture of `size`: about 256x256 pixels in its proportions."""
    width, height = size
    scale = SEEN_PIXELS / (width * height) ** 0.5
    cells = (round(length * scale / STRIDE_PIXELS) for length in (width, height))
    across, down = (min(max(1, count), 4 * SEEN_PIXELS // STRIDE_PIXELS) * STRIDE_PIXELS for count in cells)
    return across, down


class Matting:
    """The embedded matting network."""

    def __init__(self, weight: Path) -> None:
        self.net = load_network(weight, "matting", network.Matting, network.MattingConfig)
        self.dtype = next(self.net.parameters()).dtype

    def matte(self, picture: Picture) -> Matte:
        """Return the (H, W) float32 matte of an (H, W, 3) uint8 RGB picture: 0 background to 1 person."""
        return enlarged(self.look(picture), picture)

    @torch.inference_mode()
    def look(self, picture: Picture) -> Glance:
        """Run the network on an (H, W, 3) uint8 RGB picture."""
        small = resized(picture, seen_size((picture.shape[1], picture.shape[0])))
        pixels = torch.from_numpy(small).permute(2, 0, 1)[None].to(self.dtype).div_(127.5).sub_(1)
        matte = torch.sigmoid(self.net(pixels.contiguous(memory_format=torch.channels_last)))[0].numpy()
        return Glance(grey_of(small), certain(matte))

    def mattes(self, pictures: Iterable[Picture], threads: int = 0) -> Iterator[tuple[Picture, Matte]]:
        """Yield each frame of a clip with its (H, W) matte; what stands still does not flicker (`steadied`).

        `threads` frames are computed side by side (0: one per core); the result does not depend on their number.
        """
        count = threads or thread_count()
        with lone_threads(count, "matte") as pool:
            looked = in_parallel(pool, self.look, pictures, 2 * count)
            for (picture, _), matte in in_parallel(pool, _enlarged, steadied(looked), 2 * count):
                yield picture, matte


def _enlarged(frame: tuple[Picture, Glance]) -> Matte:
    return enlarged(frame[1], frame[0])


def certain(matte: NDArray[np.floating]) -> Matte:
    """Return a matte in [0, 1] in which small shares are 0 and large ones 1 (`CERTAIN_SHARES`)."""
    low, high = CERTAIN_SHARES
    kept: Matte = np.clip((np.asarray(matte, np.float32) - low) / (high - low), 0, 1)
    return kept


def grey_of(picture: Picture) -> Matte:
    """Return the (H, W) grey values, 0 to 1, of an (H, W, 3) uint8 RGB picture."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32) / np.float32(255)


def resized(plane: NDArray[Scalar], size: tuple[int, int]) -> NDArray[Scalar]:
    """Resize an array (H, W) or (H, W, 3) to `size` (width, height): by areas if smaller, else bilinear."""
    if (plane.shape[1], plane.shape[0]) == size:
        return plane
    shrinks = size[0] * size[1] < plane.shape[0] * plane.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, size, interpolation=way), plane.dtype)


def steadied(frames: Iterable[tuple[Picture, Glance]]) -> Iterator[tuple[Picture, Glance]]:
    """Average each matte with those of the previous and the next frame, where the picture does not change.

    The mean is symmetric in time, so nothing lags; a pixel that changes keeps its own matte. All frames have one size.
    """
    previous: tuple[Picture, Glance] | None = None
    current: tuple[Picture, Glance] | None = None
    for following in frames:
        if current:
            yield _steady(current, *([previous[1]] if previous else []), following[1])
        previous, current = current, following
    if current:
        yield _steady(current, *([previous[1]] if previous else []))


def _steady(frame: tuple[Picture, Glance], *neighbours: Glance) -> tuple[Picture, Glance]:
    picture, own = frame
    weights = np.ones_like(own.matte)
    soft = cv2.blur(own.grey, (5, 5))
    total = own.matte.copy()
    for other in neighbours:
        difference = (cv2.blur(other.grey, (5, 5)) - soft) / np.float32(STILL_DIFFERENCE)
        weight = np.float32(NEIGHBOUR_SHARE) * np.exp(-difference * difference)
        total += weight * other.matte
        weights += weight
    return picture, own._replace(matte=total / weights)


def enlarged(glance: Glance, picture: Picture) -> Matte:
    """Return the (H, W) matte of an (H, W, 3) picture from what the network saw.

    The matte is a linear function of grey within each small window of the network's picture; it is evaluated on the
    grey values of the picture itself.
    """
    height, width = picture.shape[:2]
    rows, columns = glance.matte.shape
    if height <= rows and width <= columns:
        return resized(glance.matte, (width, height)).clip(0, 1)
    window = (2 * GUIDE_RADIUS + 1,) * 2
    guide, matte = glance.grey, glance.matte
    mean_guide, mean_matte = cv2.blur(guide, window), cv2.blur(matte, window)
    variance = cv2.blur(guide * guide, window) - mean_guide * mean_guide
    covariance = cv2.blur(guide * matte, window) - mean_guide * mean_matte
    slope = covariance / (variance + np.float32(GUIDE_FLATNESS))
    offset = mean_matte - slope * mean_guide
    smooth = (np.asarray(cv2.blur(plane, window), np.float32) for plane in (slope, offset))
    large = [resized(plane, (width, height)) for plane in smooth]
    return np.clip(large[0] * grey_of(picture) + large[1], 0, 1)  # type: ignore[no-any-return]
