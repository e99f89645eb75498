"""Animated GIF, WebP and PNG files, read through Pillow so that frames of all three are laid over each other alike."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from facepipe.media.image import flatten, open_image
from facepipe.media.info import VideoInfo
from facepipe.media.limits import DEFAULT_LIMITS, MediaLimits
from facepipe.media.rate import Rate, find_rate

_TICK = Fraction(1, 1000)
_UNSAID_MILLISECONDS = 100  # what browsers show a frame for that asks for none


def probe_animation(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> VideoInfo:
    """Describe an animation; its frames are read once, because each carries its own duration."""
    with open_image(path, limits) as image:
        rate = _rate(_starts(image, limits))
        return VideoInfo(
            width=image.width,
            height=image.height,
            fps=rate.fps,
            frame_count_estimate=rate.frame_count,
            duration_seconds=float(rate.frame_count / rate.fps),
            has_sound=False,
            variable_rate=rate.variable,
            pixel_format="rgb24",
            codec=str(image.format).lower(),
            container=str(image.format).lower(),
        )


def decode_animation(path: Path, fps: Fraction, limits: MediaLimits = DEFAULT_LIMITS) -> Iterator[np.ndarray]:
    """Yield the frames of an animation at an even rate, each (height, width, 3) uint8 RGB, over white."""
    with open_image(path, limits) as image:
        shown, time = 0, 0
        for milliseconds in _durations(image):
            time += milliseconds
            until = max(round(time * _TICK * fps), shown)
            if until > shown:
                pixels = np.asarray(flatten(image))
                for _ in range(until - shown):
                    yield pixels.copy()
            shown = until


def _durations(image: Image.Image) -> Iterator[int]:
    """Step through the frames, giving the milliseconds of each."""
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        yield round(image.info.get("duration") or 0) or _UNSAID_MILLISECONDS


def _starts(image: Image.Image, limits: MediaLimits) -> list[int]:
    """Return when each frame begins and, last, when the last one ends, in milliseconds."""
    starts = [0]
    for milliseconds in _durations(image):
        starts.append(starts[-1] + milliseconds)
        if starts[-1] * _TICK > limits.max_duration_seconds:
            break
    return starts


def _rate(starts: list[int]) -> Rate:
    return find_rate(starts[:-1], starts[-1] - starts[-2], _TICK)
