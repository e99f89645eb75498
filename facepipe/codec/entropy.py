"""Entropy coding of integers to whole bytes, with models of integers that are the same on every machine.

A model is a list of frequencies that sum up to 2**24. `constriction` takes floating-point probabilities p, multiplies
them by (2**24 - N) / sum(p) for N symbols, and adds 1 to each. With integers that sum up to 2**24 - N, the factor is
exactly 1, and all sums are integers below 2**24, which float64 holds exactly. Its models are then the given
frequencies, whatever the machine.

Its range coder ends a message at a multiple of 32 bits. All numbers of the final interval decode to the same symbols if
zeros follow, so `encoded` returns the one with the fewest bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import constriction
import numpy as np
from numpy.typing import NDArray

PRECISION_BITS = 24
WORD_BYTES = 4
Model: TypeAlias = Any
"""constriction.stream.model.Categorical; the package has no type hints."""
NextModel: TypeAlias = Callable[[list[int]], Model]
"""Returns the model of the next symbol, given the symbols before it."""


def categorical(frequencies: NDArray[np.int64]) -> Model:
    """Return the model with (N,) frequencies, each at least 1, whose sum is 2**24."""
    assert frequencies.min() >= 1, "a frequency below 1"
    assert frequencies.sum() == 1 << PRECISION_BITS, f"frequencies that sum up to {frequencies.sum()}"
    return constriction.stream.model.Categorical((frequencies - 1).astype(np.float64), perfect=False)


def encoded(symbols: Sequence[int], next_model: NextModel) -> bytes:
    """Return the shortest bytes, at least one, that decode to the symbols, which count from 0."""
    encoder = constriction.stream.queue.RangeEncoder()
    before: list[int] = []
    models = []
    for symbol in symbols:
        models.append(next_model(before))
        encoder.encode(symbol, models[-1])
        before.append(symbol)
    whole = b"".join(int(word).to_bytes(WORD_BYTES, "big") for word in encoder.get_compressed())
    return _shortest(whole, before, models)


def decoded(packet: bytes, count: int, next_model: NextModel) -> list[int]:
    """Return `count` symbols. Raises ValueError for bytes that no symbols are encoded to."""
    decoder = _decoder(packet)
    symbols: list[int] = []
    try:
        for _ in range(count):
            symbols.append(int(decoder.decode(next_model(symbols))))
    except AssertionError as error:
        raise ValueError("not a packet of these models") from error
    return symbols


def _decoder(packet: bytes) -> Any:
    padded = packet + bytes(-len(packet) % WORD_BYTES)
    return constriction.stream.queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))


def _shortest(whole: bytes, symbols: list[int], models: list[Model]) -> bytes:
    """Return the shortest prefix of `whole`, or a prefix increased by one, that decodes to the symbols.

    If the final interval contains numbers of n bytes, it contains the largest one up to `whole` or the next one.
    """
    number = int.from_bytes(whole, "big")
    for size in range(1, len(whole)):
        below = number >> 8 * (len(whole) - size)
        for candidate in (below, below + 1):
            if candidate < 1 << 8 * size and _decodes(candidate.to_bytes(size, "big"), symbols, models):
                return candidate.to_bytes(size, "big")
    return whole


def _decodes(packet: bytes, symbols: list[int], models: list[Model]) -> bool:
    decoder = _decoder(packet)
    try:
        return all(decoder.decode(model) == symbol for symbol, model in zip(symbols, models, strict=True))
    except AssertionError:
        return False
