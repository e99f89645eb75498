"""Packets of tokens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facepipe import weights
from facepipe.codec import TokenCodec, load_table, plain_table
from facepipe.codec.distribution import REACH
from facepipe.codec.stream import MAX_PACKET_BYTES
from facepipe.codec.table import CLASS_COUNT, MAX_COMPONENTS, SCALE_COUNT, STEPS
from facepipe.codec.tokens import activity, predicted
from facepipe.errors import InputError, WeightsError
from facepipe.train.codec_tables import save_table
from tests.codec.streams import table

NUMBERS = st.lists(st.integers(-60, 60), min_size=6, max_size=6)


@settings(deadline=None)
@given(NUMBERS, NUMBERS, st.integers(0, SCALE_COUNT - 1))
def test_numbers_are_read_back(key: list[int], numbers: list[int], scale: int) -> None:
    codec = TokenCodec(table(), scale)
    reference = codec.reference(np.array(key, float) * codec.step)
    assert list(reference.numbers) == key
    assert codec.read_reference(reference.packet) == reference
    packet = codec.packet_of(numbers, reference)
    assert codec.numbers(packet, reference) == numbers


def test_tokens_are_within_half_a_step() -> None:
    random = np.random.default_rng(0)
    for scale, step in enumerate(STEPS):
        codec = TokenCodec(table(), scale)
        reference = codec.reference(random.normal(0, 9, 6))
        for _ in range(5):
            tokens = random.normal(0, 9, 6)
            error = codec.difference(codec.packet(tokens, reference), reference) - tokens
            assert np.abs(error).max() <= step / 2 + 1e-9


@pytest.mark.parametrize("size", [1, 32, MAX_COMPONENTS])
def test_the_largest_packets_fit_a_record(size: int) -> None:
    codec = TokenCodec(plain_table("imf", size), 0)
    for sign in (np.ones(size), np.resize([1, -1], size)):
        reference = codec.reference(-1e9 * sign)
        packet = codec.packet(1e9 * sign, reference)
        assert len(packet) <= MAX_PACKET_BYTES
        assert codec.numbers(packet, reference) == [int(REACH * each) for each in sign]


def test_the_class_follows_from_the_numbers_before() -> None:
    assert activity([], []) == 0
    assert activity([1, -2, 0], [16, 16, 16]) == (64 + 128) // 3
    assert activity([500], [1]) == 1023
    assert activity([9] * 3 + [0] * 12, [16] * 15) == 0, "12 numbers count"
    assert [predicted(-128, n) for n in (3, 2, 1, 0, -1, -2, -3)] == [-1, -1, 0, 0, 1, 1, 2]


def test_a_calm_frame_costs_less_after_calm_numbers() -> None:
    """Equal last numbers cost fewer bits in the class that expects them."""
    calm, lively = plain_table("imf", 2), plain_table("imf", 2)
    models = calm.models.copy()
    models[:, 1, 0], edges = 8, np.full_like(calm.edges, 100)
    edges[..., 1:] = 1 << 20
    codec = TokenCodec(replace(lively, models=models, edges=edges), 4)
    reference = codec.reference(np.zeros(2))
    assert len(codec.packet_of([0, 0], reference)) < len(codec.packet_of([40, 0], reference))


def test_a_foreign_scale_is_refused() -> None:
    with pytest.raises(InputError, match=r"quantiser scale 10, expected 0 to 9"):
        TokenCodec(table(), 10)


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "table.safetensors"
    save_table(table(), path)
    assert load_table(path).digest == table().digest
    assert replace(table(), prediction=table().prediction + 1).digest != table().digest


def test_a_broken_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.safetensors"
    for change, message in (
        ({"models": np.full((SCALE_COUNT, 6, CLASS_COUNT), 192)}, r"names distributions that do not exist"),
        ({"prediction": np.zeros(5, np.int64)}, r"other shapes than its 6 components: \['prediction'\]"),
    ):
        save_table(replace(table(), **change), path)
        with pytest.raises(WeightsError, match=message):
            load_table(path)
    with pytest.raises(WeightsError, match=r"expected a table of the kind 'codec-tokens'"):
        load_table(weights.find("expression-vae").path)


def test_the_shipped_table_is_the_one_that_streams_name() -> None:
    """Streams name the table by its digest: another table reads none of them."""
    shipped = load_table(weights.find("codec-coefficients").path)
    assert (shipped.kind, shipped.size, shipped.components) == ("coefficients", 70, 28)
    assert shipped.digest.hex() == "cbf148b091ae113e"
    moved = shipped.synthesis @ shipped.analysis
    np.testing.assert_allclose(moved, np.eye(28), atol=1e-4)
