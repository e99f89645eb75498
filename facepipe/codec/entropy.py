"""Entropy coding of integers to whole bytes, with models of integers that are the same on every machine.

A model is a list of frequencies that sum up to 2**24. `constriction` takes floating-point probabilities p, scales them by
(2**24 - N) / sum(p) for N symbols, and adds 1 to each. Given integers that sum up to 2**24 - N, the factor is exactly 1 and
every sum is an integer below 2**24, which float64 holds exactly. So its models are the given frequencies, whatever the
machine.

Its range coder ends a message at a multiple of 32 bits. Any number of the final interval decodes to the same symbols if
zeros follow, so `encoded` returns the one with the fewest bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import constriction
import numpy as np
from numpy.typing import NDArray

Categorical = constriction.stream.model.Categorical
RangeEncoder, RangeDecoder = constriction.stream.queue.RangeEncoder, constriction.stream.queue.RangeDecoder
PRECISION_BITS = 24
WORD_BYTES = 4

NextModel = Callable[[list[int]], Categorical]
"""Returns the model of the next symbol, given the symbols before it."""


def categorical(frequencies: NDArray[np.int64]) -> Categorical:
    """Return the model with (N,) frequencies, each at least 1, whose sum is 2**24."""
    assert frequencies.min() >= 1, "a frequency below 1"
    assert frequencies.sum() == 1 << PRECISION_BITS, f"frequencies that sum up to {frequencies.sum()}"
    return Categorical((frequencies - 1).astype(np.float64), perfect=False)


def encoded(symbols: Sequence[int], models: NextModel) -> bytes:
    """Return the shortest bytes that decode to the symbols, which count from 0."""
    encoder = RangeEncoder()
    for index, symbol in enumerate(symbols):
        encoder.encode(symbol, models(list(symbols[:index])))
    words = encoder.get_compressed()
    return _shortest(b"".join(int(word).to_bytes(WORD_BYTES, "big") for word in words), list(symbols), models)


def decoded(packet: bytes, count: int, models: NextModel) -> list[int]:
    """Return `count` symbols. Raises ValueError for bytes that no symbols are encoded to."""
    padded = packet + bytes(-len(packet) % WORD_BYTES)
    words = np.frombuffer(padded, ">u4").astype(np.uint32)
    decoder = RangeDecoder(words)
    symbols: list[int] = []
    try:
        for _ in range(count):
            symbols.append(int(decoder.decode(models(symbols))))
    except AssertionError as error:
        raise ValueError("not a packet of these models") from error
    return symbols


def _shortest(whole: bytes, symbols: list[int], models: NextModel) -> bytes:
    """Return the shortest prefix, or a prefix increased by one, that decodes to the symbols.

    If the interval contains any number of n bytes, it contains the largest one below `whole` or the smallest one above.
    """
    number = int.from_bytes(whole, "big")
    for size in range(1, len(whole)):
        below = number >> 8 * (len(whole) - size)
        for candidate in (below, below + 1):
            if candidate < 1 << 8 * size:
                packet = candidate.to_bytes(size, "big")
                try:
                    if decoded(packet, len(symbols), models) == symbols:
                        return packet
                except ValueError:
                    continue
    return whole
