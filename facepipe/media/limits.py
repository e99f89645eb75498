"""Size limits of inputs."""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

from facepipe.errors import InputError


@dataclass(frozen=True)
class MediaLimits:
    """Limits that are checked before anything is decoded. The InputError names the flag that raises the limit."""

    max_pixels: int = 8192 * 8192
    """Width times height of a frame or an image."""

    max_duration_seconds: float = 2 * 60 * 60
    """Duration of a video."""

    def check_pixels(self, path: Path, width: int, height: int) -> None:
        """Raise InputError for a picture of more than `max_pixels`."""
        if width * height > self.max_pixels:
            raise InputError(
                f"{path}: {width}x{height} are {width * height:,} pixels, more than the {self.max_pixels:,} allowed; "
                f"use a smaller picture, or raise the limit with --max-pixels {width * height}"
            )

    def check_duration(self, path: Path, duration_seconds: float) -> None:
        """Raise InputError for a video longer than `max_duration_seconds`."""
        if duration_seconds > self.max_duration_seconds:
            raise InputError(
                f"{path}: lasts {duration_seconds:.4g} s, more than the {self.max_duration_seconds:.4g} s allowed; "
                f"cut it, or raise the limit with --max-duration {math.floor(duration_seconds) + 1}"
            )


DEFAULT_LIMITS = MediaLimits()
NO_LIMITS = MediaLimits(max_pixels=sys.maxsize, max_duration_seconds=math.inf)
"""For files made by facepipe."""
