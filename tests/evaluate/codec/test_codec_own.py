"""The parts of a stream, as the evaluation counts them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from facepipe.codec import Framing, Header, TokenTable, Writer, plain_table
from facepipe.codec.tokens import TokenCodec
from facepipe.evaluate.codec.own import in_picture, opened, own_coders
from facepipe.face.cropping import SquareCrop, sample

STILL, SCALE, COUNT = b"still" * 50, 3, 9


def write_stream(path: Path, table: TokenTable, framing: Framing | None) -> list[bytes]:
    """Write a stream of one key frame; return its packets."""
    codec = TokenCodec(table, SCALE)
    header = Header(
        width=64,
        height=64,
        fps=Fraction(25),
        tokens="coefficients",
        model_digest=bytes(16),
        table_digest=table.digest,
        scale=SCALE,
        still_codec="av1",
    )
    random = np.random.default_rng(2)
    reference = codec.reference(random.normal(0, 1, 70))
    packets = [codec.packet(random.normal(0, 1, 70), reference) for _ in range(COUNT)]
    with path.open("wb") as file:
        writer = Writer(file, header)
        writer.key(STILL, reference.packet, framing)
        for packet in packets:
            writer.frame(packet)
        writer.skip()
        writer.frame(b"")
        writer.finish()
    return packets


def test_all_bytes_of_a_stream_are_counted(tmp_path: Path) -> None:
    table = plain_table("coefficients", 70)
    whole = Framing(64, 64, 31.5, 31.5, 64)
    path = tmp_path / "x.fpv"
    packets = write_stream(path, table, whole)
    parts = opened(path, table)
    assert parts.stream_bytes == path.stat().st_size
    assert parts.token_bytes == sum(map(len, packets))
    assert len(STILL) < parts.key_bytes < len(STILL) + 100
    assert parts.key_bytes + parts.token_bytes < parts.stream_bytes
    assert (parts.key_frames, parts.scale) == (1, SCALE)
    assert parts.tokens is not None
    assert parts.tokens.shape == (COUNT, table.components)
    # The numbers are those that were coded: coding them again gives the same packets.
    codec = TokenCodec(table, SCALE)
    reference = codec.reference(np.random.default_rng(2).normal(0, 1, 70))
    assert [codec.packet_of(row.tolist(), reference) for row in parts.tokens] == packets


def test_a_frame_returns_to_its_place_in_the_picture() -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[20:40, 24:44] = 200
    square = SquareCrop(34, 30, 40)
    frame = sample(picture, square, 64)
    back = in_picture(frame, Framing(64, 64, 34, 30, 40))
    inside = np.abs(back.astype(int) - picture)[12:48, 16:52]
    assert np.mean(inside > 30) < 0.06
    rows, columns = (np.flatnonzero((back[..., 0] > 100).any(axis)) for axis in (1, 0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (20, 39, 24, 43)
    assert np.array_equal(in_picture(picture, Framing(64, 64, 31.5, 31.5, 64)), picture)
    assert np.array_equal(in_picture(picture, None), picture)


def test_settings_have_different_names() -> None:
    names = [coder.name for coder in own_coders()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("coefficients-") for name in names if "coefficients" in name)
