"""Animated GIF, WebP, PNG and AVIF files, read by Pillow, which composes the frames of all in the same way."""

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from facepipe.media.cicp import code_points_of
from facepipe.media.colour import Colours
from facepipe.media.image import open_image
from facepipe.media.info import VideoInfo
from facepipe.media.limits import DEFAULT_LIMITS, MediaLimits
from facepipe.media.rate import find_rate
from facepipe.media.srgb import Conversion, is_transparent

_TICK = Fraction(1, 1000)
# Browsers show frames with a delay of 0 or 10 ms for 100 ms.
_SHORT_MILLISECONDS, _DEFAULT_MILLISECONDS = 10, 100
_MAX_UNEVEN_RATE = 60


def probe_animation(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> VideoInfo:
    """Describe an animation. All frames are decoded once, as some formats store durations with the frames."""
    with open_image(path, limits) as image:
        starts, short_delays, transparent = [0], 0, False
        for end, is_short in _ends(image):
            starts.append(max(round(end), starts[-1] + 1))
            short_delays += is_short
            transparent = transparent or is_transparent(image)
            if starts[-1] * _TICK > limits.max_duration_seconds:
                break
        fps, variable = _rate(starts)
        points = code_points_of(path, str(image.format))
        return VideoInfo(
            width=image.width,
            height=image.height,
            fps=fps,
            frame_count_estimate=_frames_until(starts[-1], fps),
            duration_seconds=float(starts[-1] * _TICK),
            has_sound=False,
            variable_rate=variable,
            colours=points.colours if points else Colours("rgb24"),
            short_delays=short_delays,
            has_alpha=transparent,
            codec=str(image.format).lower(),
            container=str(image.format).lower(),
        )


def decode_animation(path: Path, fps: Fraction, limits: MediaLimits = DEFAULT_LIMITS) -> Iterator[np.ndarray]:
    """Yield the frames of an animation at a constant rate, each (height, width, 3) uint8 RGB composed over white."""
    with open_image(path, limits) as image:
        count, points = 0, code_points_of(path, str(image.format))
        for end, _ in _ends(image):
            until = max(_frames_until(end, fps), count)
            if until > count:
                pixels = Conversion(image, points).array()
                for _ in range(until - count):
                    yield pixels.copy()
            count = until


def _frames_until(milliseconds: float, fps: Fraction) -> int:
    """Return the number of frames up to a time; a whole animation has at least one."""
    return max(round(Fraction(milliseconds) * _TICK * fps), 1)


def _ends(image: Image.Image) -> Iterator[tuple[float, bool]]:
    """Decode each frame; yield the time at which it ends in milliseconds, and whether its delay was too short."""
    end = 0.0
    # Of a PNG, the picture for readers without animation may come first. It is not a frame.
    for index in range(1 if image.info.get("default_image") else 0, getattr(image, "n_frames", 1)):
        image.seek(index)
        # WebP and AVIF know the duration of a frame only once it is decoded.
        image.load()
        delay = float(image.info.get("duration") or 0)
        if image.format == "AVIF" and delay > 0:
            # Rounded sums would drift.
            end = max(end + 1, image.info["timestamp"] + delay)
            yield end, False
            continue
        short = delay <= _SHORT_MILLISECONDS
        end += _DEFAULT_MILLISECONDS if short else delay
        yield end, short


def _rate(starts: list[int]) -> tuple[Fraction, bool]:
    """Return the rate at which frames are repeated, and whether their durations differ.

    With different durations it is the rate at which each lasts a whole number of frames, or, above 60, that of the
    shortest duration, so that no frame is lost.
    """
    durations = [end - start for start, end in pairwise(starts)]
    # Equal durations differ by their rounding.
    if max(durations) - min(durations) <= 1:
        return find_rate(starts[:-1], durations[-1], _TICK).fps, False
    whole = Fraction(1000, math.gcd(*durations))
    return (whole if whole <= _MAX_UNEVEN_RATE else min(Fraction(1000, min(durations)), whole)), True
