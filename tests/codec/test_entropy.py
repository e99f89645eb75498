"""Entropy coding: exact models, whole bytes."""

from __future__ import annotations

import math

import constriction
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facepipe.codec import entropy
from facepipe.codec.distribution import COUNT, FREEDOMS, REACH, SPREADS, SYMBOLS, costs, frequencies, model

TOTAL = 1 << entropy.PRECISION_BITS


def plain_frequencies(index: int) -> list[int]:
    """Return the frequencies by Python's integers, place by place."""
    shape, place = divmod(index, len(SPREADS))
    masses = []
    for number in range(-REACH, REACH + 1):
        mass = 0
        for part in range(8):
            # Middle of an eighth of the step around the number, in 16ths of a step.
            sixteenths = abs(16 * number - 7 + 2 * part)
            ratio = min(sixteenths * (2**18 // 16) * 4096 // SPREADS[place], 2**24)
            base = 4096 + ratio**2 // (FREEDOMS[shape] * 4096)
            density = 2**40
            for _ in range((FREEDOMS[shape] + 1) // 2):
                density = density * 4096 // base
            mass += density
        masses.append(mass >> 18)
    rest = TOTAL - SYMBOLS
    shares = [mass * rest // sum(masses) for mass in masses]
    shares[REACH] += rest - sum(shares)
    return [share + 1 for share in shares]


@pytest.mark.parametrize("index", [0, 40, 63, 64, 100, COUNT - 1])
def test_frequencies_are_those_of_plain_integers(index: int) -> None:
    assert frequencies(index).tolist() == plain_frequencies(index)


def test_frequencies_form_a_distribution() -> None:
    for index in range(COUNT):
        counts = frequencies(index)
        assert counts.min() >= 1
        assert counts.sum() == TOTAL
        assert np.array_equal(counts, counts[::-1])
    assert costs().shape == (COUNT, SYMBOLS)


@pytest.mark.parametrize("index", [0, 70, 191])
def test_the_coder_uses_the_frequencies_exactly(index: int) -> None:
    """A message of 64 bits c * (2**40 - 1) begins with the symbol whose interval begins at c."""
    edges = np.concatenate([[0], np.cumsum(frequencies(index))])
    scale = (1 << 40) - 1

    def first_symbol(quantile: int) -> int:
        message = np.array([quantile * scale >> 32, quantile * scale & 0xFFFFFFFF], np.uint32)
        return int(constriction.stream.queue.RangeDecoder(message).decode(model(index)))

    for symbol in [*range(0, SYMBOLS, 31), *range(REACH - 40, REACH + 41)]:
        assert first_symbol(int(edges[symbol])) == symbol
        assert first_symbol(int(edges[symbol + 1]) - 1) == symbol


SMALL = [entropy.categorical(np.array(counts)) for counts in ([TOTAL - 3, 1, 2], [5, TOTAL - 9, 4], [TOTAL // 2] * 2)]


@given(st.lists(st.integers(0, 1), max_size=9), st.integers(0, 2))
def test_symbols_are_decoded_from_the_fewest_bytes(symbols: list[int], first: int) -> None:
    def next_model(before: list[int]) -> entropy.Model:
        return SMALL[(first + len(before) + sum(before)) % 3]

    packet = entropy.encoded(symbols, next_model)
    assert entropy.decoded(packet, len(symbols), next_model) == symbols
    shorter = [number.to_bytes(size, "big") for size in range(1, min(len(packet), 3)) for number in range(256**size)]
    for other in shorter if len(shorter) < 300 else shorter[:600]:
        assert _decoded_or_none(other, len(symbols), next_model) != symbols


def _decoded_or_none(packet: bytes, count: int, next_model: entropy.NextModel) -> list[int] | None:
    try:
        return entropy.decoded(packet, count, next_model)
    except ValueError:
        return None


def test_the_bytes_exceed_the_information_by_less_than_two() -> None:
    random = np.random.default_rng(1)
    indices = [20, 90, 150, 30, 75]
    for _ in range(200):
        symbols = [int(random.choice(SYMBOLS, p=frequencies(index) / TOTAL)) for index in indices]
        packet = entropy.encoded(symbols, lambda before: model(indices[len(before)]))
        information = sum(24 - math.log2(frequencies(i)[s]) for i, s in zip(indices, symbols, strict=True))
        assert information - 1e-6 <= 8 * len(packet) + 8
        assert 8 * len(packet) < information + 16


@given(st.binary(max_size=120))
def test_any_bytes_decode_or_are_refused(packet: bytes) -> None:
    symbols = _decoded_or_none(packet, 4, lambda before: model(50 + len(before)))
    assert symbols is None or all(0 <= symbol < SYMBOLS for symbol in symbols)
