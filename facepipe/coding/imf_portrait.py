"""A portrait of an implicit motion function: a decoded key still, and frames as tokens of 32 numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.checkpoint import THREADS
from facepipe.coding.faces import FaceReader
from facepipe.coding.viewing import View
from facepipe.device import compute_device, thread_count
from facepipe.media.image import to_tensor
from facepipe.models.resampling import resized
from facepipe.renderers.imf.loading import load_any
from facepipe.renderers.imf.renderer import ImfRenderer
from facepipe.renderers.imf.tokens import TokenEncoder
from facepipe.rendering.spec import NETWORK
from facepipe.weights.loaded import load_once

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class ImfPortrait:
    """A still whose tokens are those that an IMF network estimates from pixels and draws."""

    encoder: TokenEncoder
    renderer: ImfRenderer
    own: Floats
    """The (32,) token of the still."""

    def estimate(self, view: View) -> Floats:
        """Implement `Portrait.estimate`: the tokens of the whole squares, as the network was trained with them."""
        rows = np.flatnonzero(view.valid)
        if not len(rows):
            return np.repeat(self.own[None], len(view), axis=0)
        found = self._tokens(list(view.pictures[rows]))
        return np.stack([np.interp(np.arange(len(view)), rows, column) for column in found.T], axis=1)

    def draw(self, tokens: Floats) -> Iterator[Picture]:
        """Implement `Portrait.draw`."""
        return self.renderer.frames(torch.from_numpy(np.asarray(tokens, np.float32)))

    def seen(self, drawn: list[Picture], near: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Implement `Portrait.seen`. Every picture has a token."""
        del near
        tokens = self._tokens(drawn) if drawn else np.zeros((0, len(self.own)))
        return tokens, np.ones(len(drawn), bool)

    def _tokens(self, pictures: list[Picture]) -> NDArray[np.float64]:
        return np.stack(list(self.encoder.tokens(pictures))).astype(np.float64)


class ImfReader:
    """Opens portraits of an IMF network. Every still is one, whether a face is found in it or not."""

    def __init__(self, weights: Mapping[str, Path]) -> None:
        """Open the network under `NETWORK`. `weights` also holds the files that `FaceReader` needs."""
        self._weights = weights
        self.network = load_once(load_any, weights[NETWORK], threads=THREADS)
        self.encoder = TokenEncoder(weights[NETWORK])

    @cached_property
    def faces(self) -> FaceReader:
        """Implement `PortraitReader.faces`. Decoders do not need it."""
        return FaceReader(self._weights)

    @torch.inference_mode()
    def open(self, still: Picture) -> ImfPortrait:
        """Implement `PortraitReader.open`."""
        # A copy, because torch warns of arrays that are not writable, such as decoded stills.
        still, net = still.copy(), self.network.net
        prepared = net.prepare(resized(to_tensor(still)[None], net.side_pixels).to(compute_device()))
        (own,) = self.encoder.tokens([still])
        renderer = ImfRenderer(self.network, prepared, len(still), threads=thread_count())
        return ImfPortrait(self.encoder, renderer, own.astype(np.float64))
