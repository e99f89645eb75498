"""A portrait without networks: a frame is a grey level, and its token is that level."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from facepipe.coding.viewing import View

Floats = NDArray[np.floating]
SIDE, SIZE = 32, 2


class FakePortrait:
    """Draws a token (level, second) as a picture of the level. `gain` is how much of the motion it draws."""

    def __init__(self, level: float, gain: float = 1.0) -> None:
        self.own, self.gain = np.array([level, 0.0]), gain
        self.drawn: list[Floats] = []

    def estimate(self, view: View) -> Floats:
        """Return the mean level of each frame."""
        return np.stack([view.pictures.mean((1, 2, 3)), np.zeros(len(view))], axis=1)

    def draw(self, tokens: Floats) -> Iterator[NDArray[np.uint8]]:
        """Yield pictures of the level."""
        for token in tokens:
            self.drawn.append(token)
            level = self.own[0] + self.gain * (token[0] - self.own[0])
            yield np.full((SIDE, SIDE, 3), np.clip(np.rint(level), 0, 255), np.uint8)

    def seen(self, drawn: list[NDArray[np.uint8]], near: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the level of each picture."""
        levels = np.array([[picture.mean(), 0.0] for picture in drawn])
        return levels, np.ones(len(drawn), bool)


class FakeReader:
    """Opens a still as a portrait of its level; a black one shows no face."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain
        self.opened: list[FakePortrait] = []

    def open(self, still: NDArray[np.uint8]) -> FakePortrait | None:
        """Return the portrait."""
        if still.mean() < 10:
            return None
        self.opened.append(FakePortrait(float(still.mean()), self.gain))
        return self.opened[-1]


def view_of(levels: list[float], *, valid: list[bool] | None = None, shot: list[int] | None = None) -> View:
    """Return the view of frames of grey levels, with landmarks that move with the level."""
    count = len(levels)
    pictures = np.stack([np.full((SIDE, SIDE, 3), level, np.uint8) for level in levels])
    shape = np.random.default_rng(0).uniform(8, 24, (478, 3))
    points = np.stack([shape * [1, 1 + level / 1000, 1] for level in levels])
    found = np.array(valid if valid is not None else [True] * count)
    return View(pictures, points, found, np.array(shot if shot is not None else [0] * count, np.int32), 25.0)
