"""Backgrounds of rendered frames: composition over a colour, a picture or the portrait's own, or transparency.

Values are mixed as they are stored, in sRGB, as browsers and ffmpeg mix them, and not in linear light.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from facepipe.device import in_parallel, lone_threads, thread_count
from facepipe.face.matte import certain
from facepipe.media.image import resize
from facepipe.rendering.filling import push_pull

Picture = NDArray[np.uint8]
Matting = Callable[[Picture], NDArray[np.floating]]
"""Returns the share of the person, (H, W) in [0, 1], in each pixel of a picture (H, W, 3)."""

# Colours of pixels with less alpha are too uncertain to be shown.
_LEAST_ALPHA = 8
# The first blur finds colours from afar, the second those of thin hair; both blur a picture of at most this side.
_BLUR_RATIOS, _BLURRED_PIXELS = (0.15, 0.03), 128


class Composition:
    """Composes frames over one background.

    Frames are (H, W, 4) uint8 with straight alpha, or (H, W, 3) if there is a `matting`. The result is (H, W, 3) uint8
    RGB, or (H, W, 4) with straight alpha if `behind` is None.
    """

    def __init__(
        self, behind: Picture | None, matting: Matting | None = None, *, own: bool = False, mixed: bool = False
    ) -> None:
        """Take the background.

        Args:
            behind: (H, W, 3), or None for a transparent one.
            matting: Finds the person in frames without alpha.
            own: Whether `behind` is the background of the portrait, from which the frames are made.
            mixed: Whether frames with alpha show the old background as well, in the colours of transparent and of soft
                pixels. It is removed from them.
        """
        self.behind, self.matting, self.own, self.mixed = behind, matting, own, mixed

    def __call__(self, frame: Picture) -> Picture:
        """Return the composed frame."""
        if frame.shape[2] == 3:
            assert self.matting is not None
            return self._over(cut_out(frame, self.matting(frame)))
        if not self.mixed:
            return over_own(frame, self.behind) if self.own and self.behind is not None else self._over(frame)
        if self.own and self.behind is not None:
            sure = frame.copy()
            sure[..., 3] = _CERTAIN_LEVELS[frame[..., 3]]
            return over_own(sure, self.behind)
        return self._over(cut_out(np.ascontiguousarray(frame[..., :3]), certain(frame[..., 3] / np.float32(255))))

    def _over(self, frame: Picture) -> Picture:
        return with_clean_colours(frame) if self.behind is None else over(frame, self.behind)

    def frames(self, frames: Iterable[Picture]) -> Iterator[Picture]:
        """Yield the composed frames in order. Several are computed in parallel; none depends on another."""
        count = thread_count()
        with lone_threads(count, "background") as pool:
            for _, composed in in_parallel(pool, self, frames, count):
                yield composed


def over(frame: Picture, behind: Picture) -> Picture:
    """Return a frame (H, W, 4) with straight alpha over a background (H, W, 3), rounded to the nearest."""
    # 255 * 255 + 127 is less than 65536.
    alpha = frame[..., 3:].astype(np.uint16)
    return np.asarray((frame[..., :3] * alpha + behind * (255 - alpha) + 127) // 255, np.uint8)


def over_own(frame: Picture, behind: Picture) -> Picture:
    """Return a frame over the background of the portrait that it was made from; see `over`.

    The colours at soft edges already contain that background. Mixed with it by the same share once more, thin hair
    would almost vanish, so that frames are opaque from a share of a half on.
    """
    opaque = frame.copy()
    opaque[..., 3] = np.minimum(frame[..., 3].astype(np.uint16) * 2, 255)
    return over(opaque, behind)


def _levels(matte: NDArray[np.float32]) -> Picture:
    return np.asarray(matte * 255 + np.float32(0.5)).astype(np.uint8)


_CERTAIN_LEVELS = _levels(certain(np.arange(256) / np.float32(255)))
"""`certain` for all alphas of a uint8 frame."""


def cut_out(picture: Picture, matte: NDArray[np.floating]) -> Picture:
    """Return the person in a picture (H, W, 3) as (H, W, 4) with straight alpha.

    The colours are estimated, so that the old background does not shine through hair, by the two blurs of Forte,
    Approximate Fast Foreground Colour Estimation (2021). Its weights are squared here, so that pixels of one side alone
    count most; on a soft edge of 6 % of the picture's side this halves the error. The blurs are smooth, so that they
    are made of a reduced picture; pixels of the person alone keep their colours exactly.
    """
    alpha = np.clip(matte, 0, 1).astype(np.float32)
    made = np.dstack([picture, _levels(alpha)])
    soft = (alpha > 0) & (alpha < 1)
    if not soft.any():
        return made
    front, back = (plane[soft] for plane in _means(picture, alpha))
    share = alpha[soft][:, None]
    colours = front + share * (picture[soft] - share * front - (1 - share) * back)
    made[soft, :3] = np.clip(np.round(colours), 0, 255)
    return made


def _means(picture: Picture, alpha: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the colours (H, W, 3) of the person and of the background around each pixel."""
    height, width = alpha.shape
    scale = min(1.0, _BLURRED_PIXELS / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    share = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)[..., None]
    front, back, means = small, small, (small, small)
    for ratio in _BLUR_RATIOS:
        side = 2 * max(1, round(ratio * max(size))) + 1
        means = _mean(front, share**2, side), _mean(back, (1 - share) ** 2, side)
        front, back = _limited(means[0] + share * (small - share * means[0] - (1 - share) * means[1])), means[1]
    large = (cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR) for mean in means)
    first, second = (np.asarray(plane, np.float32) for plane in large)
    return first, second


def _limited(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.clip(colours, 0, 255), np.float32)


def _mean(colours: NDArray[np.float32], weights: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the weighted mean of the colours (H, W, 3) in a box around each pixel."""

    def blurred(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REPLICATE), np.float32)

    return np.asarray(blurred(colours * weights) / (blurred(weights)[..., None] + 1e-5), np.float32)


def with_clean_colours(frame: Picture) -> Picture:
    """Return a frame (H, W, 4) whose transparent pixels continue the colours of the visible ones.

    Codecs and players that scale mix the colours of neighbours, so that those of transparent pixels show at the edges;
    they would also give away what was removed.
    """
    visible = frame[..., 3] >= _LEAST_ALPHA
    if visible.all() or not visible.any():
        return frame if visible.all() else np.zeros_like(frame)
    colours = push_pull(frame[..., :3].astype(np.float32), visible.astype(np.float32))
    clean = frame.copy()
    clean[..., :3] = np.where(visible[..., None], frame[..., :3], np.clip(np.round(colours), 0, 255))
    return clean


def plain(colour: str, size: tuple[int, int]) -> Picture:
    """Return a picture of one colour, "#rrggbb". `size` is (width, height)."""
    return np.full((size[1], size[0], 3), list(bytes.fromhex(colour.removeprefix("#"))), np.uint8)


def covering(picture: Picture, size: tuple[int, int]) -> Picture:
    """Return a picture scaled to cover `size` (width, height), with its middle part kept."""
    height, width = picture.shape[:2]
    scale = min(width / size[0], height / size[1])
    wide, tall = max(1, min(width, round(size[0] * scale))), max(1, min(height, round(size[1] * scale)))
    left, top = (width - wide) // 2, (height - tall) // 2
    return resize(np.ascontiguousarray(picture[top : top + tall, left : left + wide]), size)
