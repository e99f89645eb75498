"""Damage to a stream costs the frames that it hits, and never more memory or another error than expected."""

from __future__ import annotations

import binascii
import io
import tracemalloc
import zlib
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from facepipe.codec import Frame, Key, KeyPosition, Lost, Reader, Writer, read_index
from facepipe.codec.reader import Item
from facepipe.codec.records import frame_seed, seed_of, varint
from facepipe.errors import FacepipeError, InputError
from tests.codec.streams import FRAMES, HEADER, HEADER_BYTES, KEY_EVERY, frames_of, items_of, lost_of, stream

CONTENT = stream()
ITEMS = items_of(CONTENT)
WHOLE = frames_of(ITEMS)


def check(items: list[Item]) -> list[int]:
    """Check that every frame is there once, in order, whole or lost; return the lost ones."""
    frames, lost = frames_of(items), lost_of(items)
    assert sorted([*frames, *lost]) == list(range(FRAMES))
    numbers = [
        item.frame if isinstance(item, Frame) else item.first for item in items if isinstance(item, Frame | Lost)
    ]
    assert numbers == sorted(numbers)
    assert all(packet == WHOLE[frame] for frame, packet in frames.items())
    return lost


@pytest.mark.parametrize("bits", [1, 0x80, 0xFF])
def test_a_changed_byte_costs_one_packet(bits: int) -> None:
    keys = [list(range(first, first + KEY_EVERY)) for first in range(0, FRAMES, KEY_EVERY)]
    harmless = 0
    for place in range(HEADER_BYTES, len(CONTENT)):
        changed = bytearray(CONTENT)
        changed[place] ^= bits
        lost = check(items_of(bytes(changed)))
        # A packet with the frames skipped before it, or all frames of a key frame; nothing for sound and the index.
        assert len(lost) <= 3 or lost in keys, (place, lost)
        harmless += not lost
    assert 0 < harmless < len(CONTENT) // 2


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(HEADER_BYTES, len(CONTENT) - 1), st.integers(1, 255)), min_size=2, max_size=6))
def test_any_damage_leaves_the_other_frames_as_they_were(changes: list[tuple[int, int]]) -> None:
    changed = bytearray(CONTENT)
    for place, value in changes:
        changed[place] ^= value
    items = items_of(bytes(changed))
    frames, lost = frames_of(items), lost_of(items)
    numbers = sorted([*frames, *lost])
    # With its end destroyed, a stream may lack frames at the end.
    assert numbers == list(range(len(numbers)))
    assert all(packet == WHOLE[frame] for frame, packet in frames.items())


def test_a_stream_cut_off_anywhere_gives_the_frames_before() -> None:
    for end in range(len(CONTENT)):
        try:
            reader = Reader(io.BytesIO(CONTENT[:end]))
        except InputError:
            assert end < HEADER_BYTES
            continue
        frames = frames_of(list(reader))
        assert not reader.complete
        assert [*frames] == list(range(len(frames)))
        assert all(packet == WHOLE[frame] for frame, packet in frames.items())


def test_removed_and_inserted_bytes_cost_one_packet() -> None:
    for place in range(HEADER_BYTES, len(CONTENT), 3):
        for changed in (CONTENT[:place] + CONTENT[place + 1 :], CONTENT[:place] + b"\x2a" + CONTENT[place:]):
            lost = check(items_of(changed))
            assert len(lost) <= 3 or len(lost) == KEY_EVERY


def test_a_lost_stretch_is_counted() -> None:
    """Whole records that are missing, as lost network packets, are noticed by the number in the checksum."""
    file = io.BytesIO()
    writer = Writer(file, HEADER)
    writer.key(b"still")
    places = []
    for frame in range(300):
        places.append(writer.offset)
        writer.frame(Random(frame).randbytes(9))
    writer.finish()
    content = file.getvalue()
    for first, end in ((0, 1), (5, 6), (5, 8), (20, 270), (290, 298)):
        items = items_of(content[: places[first]] + content[places[end] :])
        assert lost_of(items) == list(range(first, end))
        assert len(frames_of(items)) == 300 - (end - first)


def test_frames_of_a_lost_key_frame_are_lost() -> None:
    keys = [item.offset for item in ITEMS if isinstance(item, Key)]
    frame_after = next(item for item in ITEMS if isinstance(item, Frame) and item.frame == 8)
    size = CONTENT.index(frame_after.packet, keys[1]) - 1 - keys[1]
    assert lost_of(items_of(CONTENT[: keys[1]] + CONTENT[keys[1] + size :])) == list(range(8, 16))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with other bytes"),
        (b"RIFF....AVI LIST" * 20, "begins with other bytes"),
        (CONTENT[:8], "version 0|damaged"),
        (CONTENT[:8] + b"\x02" + CONTENT[9:], "has version 2, expected 1"),
        (CONTENT[:9] + b"\xff\xff" + CONTENT[11:], "header .* is damaged"),
        (CONTENT[:40] + b"\x00" + CONTENT[41:], "header .* is damaged"),
    ],
)
def test_another_file_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Reader(io.BytesIO(content))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
@example(b"\xf1\xff\xff\x3f" * 50)
@example(b"\xf4\x14" + b"\xff" * 30)
@example(b"\xf3\x05\xff\xff\xff\xff\x0f")
def test_hostile_records_give_no_other_error(tail: bytes) -> None:
    content = HEADER.packed() + tail
    for item in Reader(io.BytesIO(content)):
        assert not isinstance(item, Frame)
    assert read_index(io.BytesIO(content)) == []
    list(Reader(io.BytesIO(content), KeyPosition(5, HEADER_BYTES)))


def test_hostile_lengths_cost_little_memory_and_end_with_an_error() -> None:
    """A record of nearly 1 MiB seems to begin at every place of 3 MiB."""
    tail = b"\xf1\xff\xff\x3f" * (3 << 18)
    tracemalloc.start()
    with pytest.raises(FacepipeError, match=r"unreadable from byte \d+ on: \d+ bytes without a record"):
        list(Reader(io.BytesIO(HEADER.packed() + tail)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


def test_a_huge_number_of_frames_is_not_believed() -> None:
    payload = varint(1 << 31) + varint(0) + varint(0) + b"\0" + varint(0) + b"still"
    record = b"\xf1" + varint(len(payload)) + payload
    record += zlib.crc32(record).to_bytes(4, "big")
    assert list(Reader(io.BytesIO(HEADER.packed() + record))) == []


@given(st.binary(max_size=300), st.integers(0, 0xFFFF))
def test_the_seed_of_a_checksum_is_found(content: bytes, seed: int) -> None:
    assert seed_of(content, binascii.crc_hqx(content, seed)) == seed


def test_near_frames_have_different_seeds() -> None:
    seeds = {frame_seed(frame, key) for frame in range(1024) for key in range(4)}
    assert len(seeds) == 4096
