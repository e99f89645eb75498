"""Writing and reading of whole streams."""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facepipe.codec import End, Frame, Framing, Key, Reader, Sound, Writer, read_index, resumed
from facepipe.codec.header import read_header
from facepipe.codec.reader import Item
from facepipe.errors import InputError
from tests.codec.streams import FRAMES, FRAMING, HEADER, KEY_EVERY, SOUND, frames_of, items_of, stream, written


def test_a_stream_is_read_as_it_was_written() -> None:
    items = items_of(stream())
    keys = [item for item in items if isinstance(item, Key)]
    assert [(key.frame, key.number, key.sound_number) for key in keys] == [(0, 0, 0), (8, 1, 8), (16, 2, 16)]
    for key in keys:
        random = Random(key.frame)
        assert (key.still, key.reference) == (random.randbytes(60), random.randbytes(8))
        assert (key.framing is None) == (key.frame == 0)
    frames = frames_of(items)
    assert [*frames] == list(range(FRAMES))
    assert {frame for frame, packet in frames.items() if not packet} == {f for f in range(FRAMES) if f % 7 in (2, 3)}
    assert len(frames[11]) == 70
    sounds = [item for item in items if isinstance(item, Sound)]
    assert [sound.position_samples for sound in sounds] == [960 * i - 312 for i in range(FRAMES)]
    assert items[-1] == End(FRAMES, FRAMES)


def test_a_frame_with_a_packet_costs_three_bytes_more_and_a_skipped_one_nothing() -> None:
    sizes = []
    for skipped in range(4):
        file = io.BytesIO()
        writer = Writer(file, HEADER)
        writer.key(b"still")
        before = writer.offset
        for _ in range(skipped):
            writer.skip()
        writer.frame(b"0123456789")
        sizes.append(writer.offset - before)
        writer.finish()
        assert list(frames_of(items_of(file.getvalue())).values()) == [b""] * skipped + [b"0123456789"]
    assert sizes == [13] * 4


@given(st.lists(st.sampled_from("KFSA"), max_size=40))
def test_every_order_of_items_is_read_back(kinds: list[str]) -> None:
    file = io.BytesIO()
    writer = Writer(file, HEADER)
    writer.key(b"first")
    wanted: list[tuple[str, bytes]] = [("K", b"first")]
    for index, kind in enumerate(kinds):
        content = bytes([index]) * (index % 5)
        if kind == "S":
            writer.skip()
        else:
            {"K": writer.key, "F": writer.frame, "A": writer.sound}[kind](content)  # type: ignore[operator]
        wanted.append((kind, content))
    writer.finish()
    read: list[tuple[str, bytes]] = []
    sounds: list[tuple[str, bytes]] = []
    for item in items_of(file.getvalue()):
        if isinstance(item, Key):
            read.append(("K", item.still))
        elif isinstance(item, Frame):
            read.append(("F", item.packet))
        elif isinstance(item, Sound):
            sounds.append(("A", item.packet))
    # A skipped frame is written with the next frame, so that sound may come before it.
    assert read == [
        ("F" if kind == "S" else kind, b"" if kind == "S" else content) for kind, content in wanted if kind != "A"
    ]
    assert sounds == [each for each in wanted if each[0] == "A"]


def test_a_stream_without_frames_is_complete() -> None:
    file = io.BytesIO()
    Writer(file, HEADER).finish()
    reader = Reader(io.BytesIO(file.getvalue()))
    assert list(reader) == [End(0, 0)]
    assert reader.complete


def test_a_pipe_is_read_while_it_arrives() -> None:
    """Items come out as soon as their last byte is there."""
    content = stream()

    class Pipe(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return super().read1(1)

    pipe = Pipe(content)
    places = {}
    for item in Reader(pipe):
        if isinstance(item, Frame):
            places[item.frame] = pipe.tell()
    file = io.BytesIO()
    writer = Writer(file, HEADER)
    writer.key(Random(0).randbytes(60), Random(0).randbytes(8))
    random = Random(0)
    random.randbytes(68)
    writer.frame(random.randbytes(random.randrange(6, 13)))
    assert places[0] == writer.offset


@pytest.mark.parametrize("damage", [None, "end", "index"])
def test_reading_begins_at_any_key_frame(damage: str | None) -> None:
    content = bytearray(stream())
    whole = items_of(bytes(content))
    if damage == "end":
        del content[-20:]
    elif damage == "index":
        content[-30] ^= 4
    index = read_index(io.BytesIO(bytes(content)))
    assert [position.frame for position in index] == list(range(0, FRAMES, KEY_EVERY))
    for position in index:
        items = list(Reader(io.BytesIO(bytes(content)), position))
        key = next(place for place, item in enumerate(whole) if isinstance(item, Key) and item.frame == position.frame)
        expected: list[Item] = whole[key:]
        assert items == (expected[:-1] if damage == "end" else expected)


def test_an_interrupted_stream_is_continued_to_the_same_bytes() -> None:
    content = stream()
    first_key_end = items_of(content)[1]
    assert isinstance(first_key_end, Frame)
    resumptions = set()
    for cut in range(len(content)):
        file = io.BytesIO(content[:cut])
        writer = resumed(file, HEADER)
        if writer:
            resumptions.add(writer.frame_count)
            written(writer, writer.frame_count)
            assert file.getvalue() == content, cut
    assert resumptions == {0, 8, 16}
    assert resumed(io.BytesIO(content), HEADER) is None, "it is complete"
    assert resumed(io.BytesIO(content[:-9]), replace(HEADER, scale=4)) is None


def test_a_header_is_read_back() -> None:
    for header in (HEADER, replace(HEADER, sound=None, tokens="imf", fps=Fraction(25), still_codec="jpeg")):
        assert read_header(io.BytesIO(header.packed())) == (header, len(header.packed()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, r"0x192 pixels, expected 1 to 8192"),
        ({"fps": Fraction(1001)}, r"1001 frames per second"),
        ({"scale": 10}, r"scale 10, expected 0 to 9"),
        ({"model_digest": b""}, r"digests"),
        ({"sound": replace(SOUND, packet_samples=0)}, r"sound parameters"),
    ],
)
def test_values_beyond_the_format_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(HEADER, **change).packed()  # type: ignore[arg-type]


def test_what_is_too_large_is_refused() -> None:
    writer = Writer(io.BytesIO(), HEADER)
    with pytest.raises(InputError, match=r"a still of 1048577 bytes; an .fpv stream holds at most 1048576"):
        writer.key(bytes((1 << 20) + 1))
    writer.key(b"")
    with pytest.raises(InputError, match=r"the tokens of a frame of 112 bytes"):
        writer.frame(bytes(112))
    with pytest.raises(InputError, match=r"a picture of 70000x1 pixels"):
        writer.key(b"", b"", Framing(70000, 1, 0, 0, 1))


def test_a_framing_is_kept_to_a_256th_of_a_pixel() -> None:
    file = io.BytesIO()
    writer = Writer(file, HEADER)
    exact = Framing(640, 480, -10 + 1 / 3, 1234.567, 99.99, 3.1)
    writer.key(b"", b"", exact)
    writer.finish()
    key = items_of(file.getvalue())[0]
    assert isinstance(key, Key)
    assert key.framing
    assert (key.framing.picture_width, key.framing.picture_height) == (640, 480)
    assert (key.framing.center_x, key.framing.center_y, key.framing.side) == pytest.approx(
        (exact.center_x, exact.center_y, exact.side), abs=1 / 512
    )
    assert key.framing.angle_radians == pytest.approx(3.1, abs=1e-4)
    assert FRAMING.angle_radians == -0.25
