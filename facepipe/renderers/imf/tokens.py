"""Tokens of the frames of a clip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.checkpoint import THREADS
from facepipe.device import compute_device, in_parallel, lone_threads, thread_count
from facepipe.media.image import to_tensor
from facepipe.models.resampling import resized
from facepipe.renderers.imf.loading import identity_of, load_any
from facepipe.renderers.imf.psi import load_psi
from facepipe.weights.loaded import load_once

if TYPE_CHECKING:
    from pathlib import Path

Picture = NDArray[np.uint8]


class TokenEncoder:
    """Estimates tokens on all cores, in float32."""

    def __init__(self, weight: Path) -> None:
        """Open the network in a file. Raises WeightsError."""
        self.net = load_once(load_any, weight, threads=THREADS).net
        self.network = load_once(identity_of, weight)
        self.editable = load_once(load_psi, weight) is not None
        self.threads = thread_count()

    @property
    def side_pixels(self) -> int:
        """Width and height of the pictures."""
        return self.net.side_pixels

    def tokens(self, pictures: Iterable[Picture]) -> Iterator[NDArray[np.float32]]:
        """Yield the token (32,) of each (S, S, 3) uint8 RGB picture, resized if S is not that of the network.

        Each is computed alone, so that neither the other pictures nor the number of cores change its rounding.
        """
        with lone_threads(self.threads, "tokens") as pool:
            for _, token in in_parallel(pool, self._token, pictures, self.threads):
                yield token

    @torch.inference_mode()
    def _token(self, picture: Picture) -> NDArray[np.float32]:
        given = resized(to_tensor(picture)[None], self.net.side_pixels).to(compute_device())
        return np.asarray(self.net.token(given)[0].float().cpu())
