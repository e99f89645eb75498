"""A stream of version 1 whose bytes must never change. `python -m tests.codec.test_golden` writes it."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np

from facepipe.codec import End, Frame, Framing, Key, Reader, Sound, TokenCodec, Writer
from tests.codec.streams import HEADER, table

FILE = Path(__file__).parents[1] / "data" / "golden.fpv"
FRAMING = Framing(640, 360, 320.5, 100.25, 128, math.pi / 32)


def numbers_of(frame: int) -> list[int]:
    """Return six numbers from -90 to 90, smaller from place to place."""
    return [(frame * 37 + place * 101) % 181 - 90 >> place for place in range(6)]


def key_numbers_of(frame: int) -> list[int]:
    return [n // 2 for n in numbers_of(frame + 3)]


def golden() -> bytes:
    """Return the bytes of the stream: 20 frames, a key frame every 8, frames 5, 9, 10 and 15 skipped."""
    file = io.BytesIO()
    writer, codec = Writer(file, HEADER), TokenCodec(table(), HEADER.scale)
    for frame in range(20):
        if frame % 8 == 0:
            reference = codec.reference(np.array(key_numbers_of(frame)) * codec.step)
            writer.key(b"still %d" % frame, reference.packet, FRAMING if frame else None)
        if frame in (5, 9, 10, 15):
            writer.skip()
        else:
            writer.frame(codec.packet_of(numbers_of(frame), reference))
        if frame % 2:
            writer.sound(b"sound %d" % frame)
    writer.finish()
    return file.getvalue()


def test_the_bytes_are_those_of_version_1() -> None:
    assert golden() == FILE.read_bytes()


def test_the_numbers_are_those_that_were_written() -> None:
    reader = Reader(io.BytesIO(FILE.read_bytes()))
    assert reader.header == HEADER
    codec = TokenCodec(table(), reader.header.scale)
    frames, sounds = [], []
    for item in reader:
        if isinstance(item, Key):
            reference = codec.read_reference(item.reference)
            assert list(reference.numbers) == key_numbers_of(item.frame)
            assert (item.still, item.framing) == (b"still %d" % item.frame, FRAMING if item.frame else None)
        elif isinstance(item, Frame):
            frames.append(codec.numbers(item.packet, reference) if item.packet else None)
        elif isinstance(item, Sound):
            sounds.append((item.position_samples, item.packet))
        else:
            assert item == End(20, 10)
    assert frames == [None if frame in (5, 9, 10, 15) else numbers_of(frame) for frame in range(20)]
    assert sounds == [(960 * i - 312, b"sound %d" % (2 * i + 1)) for i in range(10)]


if __name__ == "__main__":
    FILE.write_bytes(golden())
