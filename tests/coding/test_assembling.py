"""Joined streams, and sound between frames."""

import io
from fractions import Fraction
from pathlib import Path

import pytest

from facepipe.codec import End, Frame, Header, Key, Reader, Sound, SoundFormat, Writer
from facepipe.coding.assembling import Interleaver, join
from facepipe.coding.summary import summary_of
from facepipe.media.ogg import OggWriter

FORMAT = SoundFormat("opus", 48_000, 1, 2880, 312, b"OpusHead" + bytes(11))


def _header(sound: SoundFormat | None = None) -> Header:
    return Header(32, 32, Fraction(25), "coefficients", bytes(16), bytes(8), 3, "av1", sound)


def _segment(path: Path, packets: list[bytes | None]) -> Path:
    with path.open("wb") as out:
        writer = Writer(out, _header())
        writer.key(b"still of " + path.name.encode())
        for packet in packets:
            if packet is None:
                writer.skip()
            else:
                writer.frame(packet)
        writer.finish()
    return path


@pytest.fixture
def segments(tmp_path: Path) -> list[Path]:
    """Two segments of 8 and 5 frames, some without a packet."""
    first = [b"a", None, b"c", None, None, b"f", b"g", b"h"]
    return [_segment(tmp_path / "1.fpv", first), _segment(tmp_path / "2.fpv", [b"i", b"j", None, b"l", b"m"])]


def _sound(path: Path, count: int) -> Path:
    with path.open("wb") as stream:
        writer = OggWriter(stream, FORMAT.configuration)
        for number in range(count):
            writer.packet(bytes([24, number]), 2880)
    return path


def test_joined_segments_have_all_frames_in_order(segments: list[Path]) -> None:
    out = io.BytesIO()
    join(segments, _header(), None, out)
    out.seek(0)
    items = list(Reader(out))
    packets = [item.packet for item in items if isinstance(item, Frame)]
    assert packets == [b"a", b"", b"c", b"", b"", b"f", b"g", b"h", b"i", b"j", b"", b"l", b"m"]
    assert [(item.frame, item.still[-5:]) for item in items if isinstance(item, Key)] == [(0, b"1.fpv"), (8, b"2.fpv")]
    assert items[-1] == End(13, 0)


def test_sound_comes_before_the_frame_at_its_time(segments: list[Path], tmp_path: Path) -> None:
    out = io.BytesIO()
    join(segments, _header(FORMAT), _sound(tmp_path / "s.ogg", 20), out)
    out.seek(0)
    time, numbers = 0.0, []
    for item in Reader(out):
        if isinstance(item, Frame):
            time = item.frame / 25
        if isinstance(item, Sound):
            numbers.append(item.number)
            # Up to two frames without a packet come with the next one.
            assert item.position_samples / 48_000 <= time + 3 / 25
    assert numbers == list(range(len(numbers)))
    # 13 frames last 0.52 s, and packets begin every 0.06 s.
    assert len(numbers) == 9


def test_late_packets_follow_later() -> None:
    out = io.BytesIO()
    writer = Writer(out, _header(FORMAT))
    interleaver = Interleaver(writer, iter([b"0", None, b"1", None, None, b"2"]))
    writer.key(b"still")
    for frame in range(4):
        interleaver.until(frame)
        writer.frame(b"x")
    assert writer.sound_count == 2
    interleaver.until(4, waits=True)
    assert writer.sound_count == 3


def test_the_summary_counts_everything(segments: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "joined.fpv"
    with path.open("wb") as out:
        join(segments, _header(FORMAT), _sound(tmp_path / "s.ogg", 20), out)
    with path.open("rb") as stream:
        found = summary_of(stream)
    assert (found.frames, found.packets, found.key_frames) == (13, 9, (0, 8))
    assert found.total_bytes == path.stat().st_size
    assert found.complete
    assert found.as_json()["kilobits_per_second"] == round(path.stat().st_size * 8 / 1000 / 0.52, 3)
    with path.open("rb") as stream:
        cut = summary_of(io.BytesIO(stream.read()[:-30]))
    assert not cut.complete
