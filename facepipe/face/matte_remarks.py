"""Remarks on mattes: frames without a person, and heads that reach beyond the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.engine.remark import Remark

# Share of pixels that are rather person than background below which a picture shows nobody.
EMPTY_SHARE = 0.005
# Share of the upper edge, or of the upper half of a side, that a person may cover before a remark says so.
EDGE_SHARE = 0.02


@dataclass
class MatteCounts:
    """What the mattes of a clip, or of a picture, have in common."""

    frames: int = 0
    empty: int = 0
    """Frames without a person."""
    cut: int = 0
    """Frames whose person reaches the upper edge or the upper half of a side."""
    total_share: float = 0.0
    """The sum of the mean mattes of the frames."""

    def add(self, matte: NDArray[np.float32]) -> None:
        """Count the (H, W) matte of one frame, 0 to 1."""
        share = float(matte.mean())
        self.frames += 1
        self.total_share += share
        if float((matte > 0.5).mean()) < EMPTY_SHARE:
            self.empty += 1
            return
        half = max(1, matte.shape[0] // 2)
        edges = (matte[0], matte[:half, 0], matte[:half, -1])
        self.cut += any(float((edge > 0.5).mean()) > EDGE_SHARE for edge in edges)

    def remarks(self) -> list[Remark]:
        """Return the remarks on frames that are partly unusable."""
        found = []
        if self.empty:
            text = f"{self._part(self.empty)} nobody, and the matte is black there"
            found.append(Remark("empty-matte", text))
        if self.cut:
            text = f"{self._part(self.cut)} a person beyond its upper edge or sides, so hair may be missing there"
            found.append(Remark("person-cut", text))
        return found

    def _part(self, count: int) -> str:
        return f"{count} of {self.frames} frames show" if self.frames > 1 else "the picture shows"
