"""The imitator on vectors: pictures of avatars by a network, also of relaxed vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facepipe.avatar.layout import LENGTH, to_row
from facepipe.avatar.vector import RelaxedVector
from facepipe.checkpoint import load_network
from facepipe.errors import WeightsError
from facepipe.models.imitator import NAME, config_of
from facepipe.models.imitator import Imitator as Network

Pixels = NDArray[np.uint8]


class Imitator:
    """An imitator from a weight file."""

    def __init__(self, weight: Path) -> None:
        """Load the network. Raises WeightsError for a file of another engine."""
        # The rounding of bfloat16 differs between processors.
        self.net = load_network(weight, NAME, Network, config_of, precision="fp32")
        if self.net.config.length != LENGTH:
            raise WeightsError(
                f"{weight} draws vectors of {self.net.config.length} numbers, this engine has {LENGTH}; "
                "train it anew with `facepipe train imitator`"
            )

    def draw(self, relaxed: RelaxedVector) -> Pixels:
        """Return the picture (S, S, 3) of the neutral avatar, in the frame of its face."""
        with torch.inference_mode():
            picture = self.pictures(torch.from_numpy(to_row(relaxed))[None])[0]
        coded = ((picture + 1) * 127.5).round().clamp(0, 255)
        return np.asarray(coded.permute(1, 2, 0).contiguous().numpy(), np.uint8)

    def pictures(self, rows: Tensor) -> Tensor:
        """Return the pictures (B, 3, S, S), about [-1, 1], of rows (B, LENGTH); gradients reach the rows."""
        drawn: Tensor = self.net(rows)
        return drawn
