"""Packets of tokens: transform, quantisation and entropy coding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.codec import entropy
from facepipe.codec.distribution import ALPHABET_REACH, frequencies
from facepipe.codec.table import TokenTable
from facepipe.errors import InputError
from facepipe.models.rows import row_product

Floats = NDArray[np.floating]

SCALE_COUNT = 16


def step_of(scale: int) -> float:
    """Return the quantiser's step of a scale in units of the components: 1/4 for scale 0, times sqrt(2) for each."""
    return 0.25 * 2 ** (scale / 2)


@dataclass(frozen=True)
class Reference:
    """The tokens of a key frame as a stream holds them: what the packets of its frames depend on."""

    packet: bytes
    """Written in the record of the key frame."""
    numbers: tuple[int, ...]
    """Quantised components, the same in the encoder and in every decoder."""


class TokenCodec:
    """Converts tokens to packets and back, with the table and the scale that a stream's header names."""

    def __init__(self, table: TokenTable, scale: int) -> None:
        self.table, self.scale, self.step = table, scale, step_of(scale)
        self._models = [entropy.categorical(frequencies(int(spread), scale)) for spread in table.spreads]
        self._reference_models = [
            entropy.categorical(frequencies(int(spread), scale)) for spread in table.reference_spreads
        ]

    def reference(self, tokens: Floats) -> Reference:
        """Return the reference of a key frame's (D,) tokens. It is only used to predict; its error is in no frame."""
        numbers = self._quantised(tokens - self.table.mean)
        packet = entropy.encoded(
            [n + ALPHABET_REACH for n in numbers], lambda before: self._reference_models[len(before)]
        )
        return Reference(packet, tuple(numbers))

    def read_reference(self, packet: bytes) -> Reference:
        """Return the reference in the record of a key frame. Raises InputError if it is not one."""
        return Reference(packet, tuple(self._decoded(packet, self._reference_models)))

    def packet(self, difference: Floats, reference: Reference) -> bytes:
        """Return the packet of a frame, from its (D,) tokens less those of the key frame; at most 111 bytes."""
        numbers = self._quantised(difference)
        return entropy.encoded([n + ALPHABET_REACH for n in numbers], lambda before: self._models[len(before)])

    def difference(self, packet: bytes, reference: Reference) -> Floats:
        """Return the (D,) tokens of a frame less those of the key frame. Raises InputError for a foreign packet."""
        numbers = self._decoded(packet, self._models)
        return row_product(self.step * np.array(numbers, np.float64)[None], self.table.synthesis)[0]

    def _quantised(self, difference: Floats) -> list[int]:
        components = row_product(np.asarray(difference, np.float64)[None], self.table.analysis)[0]
        return [int(n) for n in np.clip(np.rint(components / self.step), -ALPHABET_REACH, ALPHABET_REACH)]

    def _decoded(self, packet: bytes, models: list[entropy.Categorical]) -> list[int]:
        try:
            symbols = entropy.decoded(packet, len(models), lambda before: models[len(before)])
        except ValueError:
            raise InputError("a packet of tokens is not of this stream's table; get the .fpv file again.") from None
        return [symbol - ALPHABET_REACH for symbol in symbols]
