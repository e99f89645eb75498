"""Ogg pages, and the durations of Opus packets."""

import io
import subprocess
from pathlib import Path

import numpy as np
import pytest

from facepipe.errors import InputError
from facepipe.media.ffmpeg import find_ffmpeg
from facepipe.media.ogg import OggWriter, concealment, read_packets, samples_of


def _opus(folder: Path, milliseconds: int, seconds: float = 1.0) -> Path:
    out = folder / f"{milliseconds}.ogg"
    tone = ["-f", "lavfi", "-i", f"sine=f=440:d={seconds}:r=48000"]
    options = ["-c:a", "libopus", "-b:a", "16k", "-frame_duration", str(milliseconds)]
    subprocess.run([find_ffmpeg(), "-v", "error", "-y", *tone, *options, str(out)], check=True)
    return out


def _decoded(content: bytes) -> np.ndarray:
    command = [find_ffmpeg(), "-v", "error", "-i", "pipe:0", "-f", "s16le", "-ac", "1", "-ar", "48000", "pipe:1"]
    return np.frombuffer(subprocess.run(command, input=content, capture_output=True, check=True).stdout, "<i2")


@pytest.mark.parametrize("milliseconds", [20, 60])
def test_packets_last_as_long_as_they_were_made(tmp_path: Path, milliseconds: int) -> None:
    with _opus(tmp_path, milliseconds).open("rb") as stream:
        _, _, *packets = read_packets(stream)
    assert {samples_of(packet) for packet in packets[:-1]} == {48 * milliseconds}


def test_packets_written_again_sound_the_same(tmp_path: Path) -> None:
    path = _opus(tmp_path, 60)
    with path.open("rb") as stream:
        head, _, *packets = read_packets(stream)
    out = io.BytesIO()
    writer = OggWriter(out, head)
    for packet in packets:
        writer.packet(packet, samples_of(packet))
    writer.close()
    again = list(read_packets(io.BytesIO(out.getvalue())))
    assert again[0] == head
    assert again[2:] == packets
    # ffmpeg checks the CRC of every page. The end of the first is trimmed, that of the other is not.
    original, copied = _decoded(path.read_bytes()), _decoded(out.getvalue())
    assert np.array_equal(copied[: len(original)], original)


def test_packets_longer_than_a_page_keep_their_bytes() -> None:
    out, packets = io.BytesIO(), [bytes([3]) * size for size in (1, 254, 255, 256, 70_000)]
    writer = OggWriter(out, b"OpusHead" + bytes(11))
    for packet in packets:
        writer.packet(packet, 960)
    assert list(read_packets(io.BytesIO(out.getvalue())))[2:] == packets


def test_a_concealed_packet_has_the_duration_of_its_neighbour(tmp_path: Path) -> None:
    with _opus(tmp_path, 60).open("rb") as stream:
        head, _, *packets = read_packets(stream)
    assert samples_of(concealment(packets[3])) == samples_of(packets[3])
    out = io.BytesIO()
    writer = OggWriter(out, head)
    for number, packet in enumerate(packets):
        writer.packet(concealment(packet) if number == 5 else packet, 2880)
    writer.close()
    assert abs(len(_decoded(out.getvalue())) - (len(packets) * 2880 - 312)) <= 2880


def test_other_bytes_are_an_input_error() -> None:
    with pytest.raises(InputError, match="Ogg"):
        list(read_packets(io.BytesIO(b"RIFF" + bytes(60))))
