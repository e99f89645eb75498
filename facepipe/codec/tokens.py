"""Packets of tokens: transform, quantisation, prediction and entropy coding.

The components n_0 .. n_(K-1) of a token's difference to the key frame are quantised with one step. With the components
m_k of the key frame, the residual r_k = n_k - ((p_k m_k + 128) >> 8) is coded for k = 0 .. K-1. The activity before
component k is the mean of min(1024 |r_j| // t_j, 1023) over the 12 components j before it, rounded down; the number of
edges that it reaches is the class, which chooses the distribution. All of this is integer arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepipe.codec import entropy
from facepipe.codec.distribution import REACH, model
from facepipe.codec.table import SCALE_COUNT, STEPS, TokenTable
from facepipe.errors import InputError
from facepipe.models.rows import row_product

Floats = NDArray[np.floating]
WINDOW = 12
"""Components before one that its activity is the mean of."""
RELATIVE, MAX_RELATIVE = 1024, 1023


@dataclass(frozen=True)
class Reference:
    """The tokens of a key frame as a stream holds them: what the packets of its frames depend on."""

    packet: bytes
    """Written in the record of the key frame."""
    numbers: tuple[int, ...]
    """Quantised components, the same in the encoder and in every decoder."""


def predicted(prediction: int, number: int) -> int:
    """Return the prediction of a component from that of the key frame."""
    return (prediction * number + 128) >> 8


def activity(residuals: list[int], typical: list[int]) -> int:
    """Return the activity of the last residuals, each relative to its typical size in 1/16."""
    first = max(len(residuals) - WINDOW, 0)
    if first == len(residuals):
        return 0
    sizes = [
        min(RELATIVE * abs(residual) // size, MAX_RELATIVE)
        for residual, size in zip(residuals[first:], typical[first:], strict=False)
    ]
    return sum(sizes) // len(sizes)


class TokenCodec:
    """Converts tokens to packets and back, with the table and the scale that a stream's header names."""

    def __init__(self, table: TokenTable, scale: int) -> None:
        """Open a table. Raises InputError for a scale that does not exist."""
        if not 0 <= scale < SCALE_COUNT:
            raise InputError(f"quantiser scale {scale}, expected 0 to {SCALE_COUNT - 1}.")
        self.table, self.scale, self.step = table, scale, STEPS[scale]
        # Lists, because indexing them costs a tenth of indexing arrays.
        self._prediction: list[int] = table.prediction.tolist()
        self._typical: list[int] = table.typical[scale].tolist()
        self._edges: list[list[int]] = table.edges[scale].tolist()
        self._models: list[list[int]] = table.models[scale].tolist()
        self._reference_models: list[int] = table.reference_models[scale].tolist()

    def reference(self, tokens: Floats) -> Reference:
        """Return the reference of a key frame's (D,) tokens. It only predicts: its error is not in the frames."""
        numbers = self._quantised(tokens - self.table.mean)
        return Reference(entropy.encoded([n + REACH for n in numbers], self._reference_model), tuple(numbers))

    def read_reference(self, packet: bytes) -> Reference:
        """Return the reference in the record of a key frame. Raises InputError if it is not one."""
        return Reference(packet, tuple(self._decoded(packet, self._reference_model)))

    def reference_tokens(self, reference: Reference) -> Floats:
        """Return the (D,) tokens of a key frame as the stream holds them, within half a step per component."""
        return self.table.mean + self._dequantised(reference.numbers)

    def packet(self, difference: Floats, reference: Reference) -> bytes:
        """Return the packet of a frame, from its (D,) tokens less those of the key frame: 1 to 111 bytes."""
        return self.packet_of(self._quantised(difference), reference)

    def packet_of(self, numbers: list[int], reference: Reference) -> bytes:
        """Return the packet of quantised components."""
        centers = self._centers(reference)
        residuals = [max(-REACH, min(n - center, REACH)) for n, center in zip(numbers, centers, strict=True)]
        return entropy.encoded([residual + REACH for residual in residuals], self._model)

    def difference(self, packet: bytes, reference: Reference) -> Floats:
        """Return the (D,) tokens of a frame less those of the key frame. Raises InputError for a foreign packet."""
        return self._dequantised(self.numbers(packet, reference))

    def numbers(self, packet: bytes, reference: Reference) -> list[int]:
        """Return the quantised components in a packet. Raises InputError for a foreign packet."""
        residuals = self._decoded(packet, self._model)
        return [r + center for r, center in zip(residuals, self._centers(reference), strict=True)]

    def _centers(self, reference: Reference) -> list[int]:
        return [predicted(p, m) for p, m in zip(self._prediction, reference.numbers, strict=True)]

    def _model(self, symbols: list[int]) -> entropy.Model:
        place = len(symbols)
        now = activity([symbol - REACH for symbol in symbols[-WINDOW:]], self._typical[max(place - WINDOW, 0) : place])
        return model(self._models[place][sum(now >= edge for edge in self._edges[place])])

    def _reference_model(self, symbols: list[int]) -> entropy.Model:
        return model(self._reference_models[len(symbols)])

    def _quantised(self, difference: Floats) -> list[int]:
        components = row_product(np.asarray(difference, np.float64)[None], self.table.analysis)[0]
        return [int(n) for n in np.clip(np.rint(components / self.step), -REACH, REACH)]

    def _dequantised(self, numbers: list[int] | tuple[int, ...]) -> Floats:
        rows = row_product(self.step * np.array(numbers, np.float64)[None], self.table.synthesis)
        return np.asarray(rows[0])

    def _decoded(self, packet: bytes, next_model: entropy.NextModel) -> list[int]:
        try:
            symbols = entropy.decoded(packet, self.table.components, next_model)
        except ValueError:
            raise InputError("a packet of tokens is not of this stream's table; get the .fpv file again.") from None
        return [symbol - REACH for symbol in symbols]
