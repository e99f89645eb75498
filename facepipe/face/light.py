"""Light of pictures: which are too dark, too bright or too flat for face finding, and their contrast stretched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

# Mean levels of ordinary pictures, of 255.
DARK_LEVEL, BRIGHT_LEVEL = 45, 205
# Pictures whose levels span less are flat; those with less than the second show nothing that could be stretched.
FLAT_SPAN, EMPTY_SPAN = 128, 3
# Share of the pixels that are darker than `black`, and brighter than `white`.
TAIL_PERCENT = 1
# Level of the median after stretching, relative to white, and the limits of the median before it.
MIDDLE, MIDDLE_LIMITS = 0.45, (0.02, 0.995)


class Light(NamedTuple):
    """Grey levels of one or several pictures, 0 to 255."""

    mean: float
    black: float
    middle: float
    white: float

    @property
    def word(self) -> str:
        """Return "dark", "bright", "flat", or "" for ordinary light."""
        if self.mean < DARK_LEVEL or self.mean > BRIGHT_LEVEL:
            return "dark" if self.mean < DARK_LEVEL else "bright"
        return "flat" if self.white - self.black < FLAT_SPAN else ""

    @property
    def is_poor(self) -> bool:
        """Whether faces may be found only after stretching."""
        return bool(self.word) and self.white - self.black >= EMPTY_SPAN

    def __str__(self) -> str:
        """Return the levels for the user."""
        return f"mean level {self.mean:.0f} of 255, nearly all between {self.black:.0f} and {self.white:.0f}"


def light_of(pictures: Sequence[Picture]) -> Light:
    """Return the light of (H, W, 3) uint8 RGB pictures, at least one."""
    grey = np.concatenate([cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).ravel() for one in pictures])
    black, middle, white = np.percentile(grey, [TAIL_PERCENT, 50, 100 - TAIL_PERCENT])
    return Light(float(grey.mean()), float(black), float(middle), float(white))


def stretching(light: Light) -> NDArray[np.uint8]:
    """Return (256,) the level for each level: black to 0, white to 255, the median to `MIDDLE`, by a power."""
    share = np.clip((np.arange(256) - light.black) / max(light.white - light.black, 1), 0, 1)
    middle = np.clip((light.middle - light.black) / max(light.white - light.black, 1), *MIDDLE_LIMITS)
    return np.asarray(np.rint(255 * share ** (np.log(MIDDLE) / np.log(middle))), np.uint8)
