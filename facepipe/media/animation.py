"""Animated GIF, WebP and PNG files, read by Pillow, which composes the frames of all three in the same way."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from facepipe.media.colour import Colours
from facepipe.media.image import flatten, open_image
from facepipe.media.info import VideoInfo
from facepipe.media.limits import DEFAULT_LIMITS, MediaLimits
from facepipe.media.rate import Rate, find_rate

_TICK = Fraction(1, 1000)
_DEFAULT_MILLISECONDS = 100  # of a frame without duration, as in browsers


def probe_animation(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> VideoInfo:
    """Describe an animation. All frames are read once, as each has its own duration."""
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
            colours=Colours("rgb24"),
            codec=str(image.format).lower(),
            container=str(image.format).lower(),
        )


def decode_animation(path: Path, fps: Fraction, limits: MediaLimits = DEFAULT_LIMITS) -> Iterator[np.ndarray]:
    """Yield the frames of an animation at a constant rate, each (height, width, 3) uint8 RGB composed over white."""
    with open_image(path, limits) as image:
        count, time = 0, 0
        for milliseconds in _durations(image):
            time += milliseconds
            until = max(round(time * _TICK * fps), count)
            if until > count:
                pixels = np.asarray(flatten(image))
                for _ in range(until - count):
                    yield pixels.copy()
            count = until


def _durations(image: Image.Image) -> Iterator[int]:
    """Seek to each frame and yield its duration in milliseconds."""
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        yield round(image.info.get("duration") or 0) or _DEFAULT_MILLISECONDS


def _starts(image: Image.Image, limits: MediaLimits) -> list[int]:
    """Return the start times of the frames and the end time of the last one, in milliseconds."""
    starts = [0]
    for milliseconds in _durations(image):
        starts.append(starts[-1] + milliseconds)
        if starts[-1] * _TICK > limits.max_duration_seconds:
            break
    return starts


def _rate(starts: list[int]) -> Rate:
    return find_rate(starts[:-1], starts[-1] - starts[-2], _TICK)
