"""Elementary streams of the encoders that this ffmpeg has."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from facepipe.errors import EncoderError, ToolError
from facepipe.media import ffmpeg
from facepipe.media.elementary import STREAM_CODECS, decode_stream, encode_stream, missing_encoder, packet_bytes


def moving_squares(count: int = 12, size: int = 64) -> np.ndarray:
    frames = np.full((count, size, size, 3), 90, np.uint8)
    for number in range(count):
        frames[number, 20:40, 2 + 2 * number : 22 + 2 * number] = (250, 240, 230)
    return frames


@pytest.fixture(params=list(STREAM_CODECS))
def name(request: pytest.FixtureRequest) -> str:
    if missing_encoder(request.param):
        pytest.skip(f"this ffmpeg has no {missing_encoder(request.param)}")
    return str(request.param)


def test_a_stream_gives_back_its_frames(name: str) -> None:
    frames = moving_squares()
    fine, coarse = (encode_stream(frames, name, quality, Fraction(25)) for quality in (30, STREAM_CODECS[name].worst))
    assert len(coarse) < len(fine)
    errors = []
    for stream in (fine, coarse):
        decoded = decode_stream(stream, name, (64, 64))
        assert decoded.shape == frames.shape
        errors.append(np.abs(decoded.astype(int) - frames).mean())
    assert errors[0] < errors[1]
    assert errors[0] < 6


def test_every_frame_is_decoded_once(name: str) -> None:
    frames = moving_squares()
    decoded = decode_stream(encode_stream(frames, name, 30, Fraction(25, 2)), name, (64, 64))
    assert decoded.shape == frames.shape
    nearest = [int(np.argmin(np.abs(one - frames.astype(int)).mean((1, 2, 3)))) for one in decoded.astype(int)]
    assert nearest == list(range(len(frames)))


def test_packets_make_up_the_stream(name: str) -> None:
    stream = encode_stream(moving_squares(), name, 40, Fraction(25, 2))
    packets = packet_bytes(stream, name)
    assert sum(packets) == len(stream)
    assert len(packets) >= 12
    assert 0 < packets[0] < len(stream)


def test_x265_writes_no_text_about_itself() -> None:
    if missing_encoder("x265"):
        pytest.skip("this ffmpeg has no libx265")
    assert b"x265" not in encode_stream(moving_squares(), "x265", 40, Fraction(25))


def test_a_foreign_stream_is_an_error() -> None:
    with pytest.raises(EncoderError):
        decode_stream(b"no stream" * 100, "x264", (64, 64))


def test_a_missing_encoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "encoders", lambda _program: frozenset({"libx264"}))
    assert missing_encoder("x264") == ""
    with pytest.raises(ToolError, match="libvvenc"):
        encode_stream(moving_squares(), "vvc", 40, Fraction(25))
