"""Elementary video streams: frames coded by an encoder of ffmpeg, as bytes without a container.

They are the anchors of the codec's evaluation, so their rates must not contain a container or an encoder's own text.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from facepipe.errors import EncoderError, ToolError
from facepipe.media import ffmpeg

_THREADS = "2"
# More than any clip has frames: one key frame, at the start.
_NO_MORE_KEYS = 100_000
_TAIL_CHARACTERS = 400
Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class StreamCodec:
    """An encoder of ffmpeg, and the form of its elementary stream."""

    encoder: str
    form: str
    """ffmpeg's name of the elementary stream's format."""
    options: Callable[[int], Mapping[str, str]]
    """Returns ffmpeg's options for a quality; larger numbers give fewer bits."""
    worst: int
    """The quality with the fewest bits that the encoder takes."""
    pixels: str = "yuv420p"


STREAM_CODECS: Mapping[str, StreamCodec] = {
    "vvc": StreamCodec("libvvenc", "vvc", lambda quality: {"preset": "medium", "qp": str(quality)}, 63, "yuv420p10le"),
    "av1": StreamCodec("libsvtav1", "obu", lambda quality: {"preset": "4", "crf": str(quality)}, 63),
    "x265": StreamCodec(
        "libx265",
        "hevc",
        # Without info=0 x265 writes its options into the stream at every key frame.
        lambda quality: {
            "preset": "slow",
            "crf": str(quality),
            "x265-params": f"info=0:log-level=error:scenecut=0:keyint={_NO_MORE_KEYS}:min-keyint={_NO_MORE_KEYS}",
        },
        51,
    ),
    "x264": StreamCodec(
        "libx264",
        "h264",
        lambda quality: {"preset": "veryslow", "crf": str(quality), "sc_threshold": "0"},
        51,
    ),
}
"""The anchors by name. The qualities are the QP of libvvenc and the CRF of the others."""


def missing_encoder(name: str) -> str:
    """Return the encoder of an anchor if this ffmpeg does not have it; empty if it does."""
    encoder = STREAM_CODECS[name].encoder
    return "" if encoder in ffmpeg.encoders(ffmpeg.find_ffmpeg()) else encoder


def encode_stream(frames: Frames, name: str, quality: int, fps: Fraction) -> bytes:
    """Return (T, H, W, 3) uint8 RGB frames as an elementary stream with one key frame.

    Raises ToolError if this ffmpeg lacks the encoder, EncoderError if it fails.
    """
    codec = STREAM_CODECS[name]
    if missing_encoder(name):
        raise ToolError(f"this ffmpeg has no {codec.encoder}; `pip install imageio-ffmpeg` brings one that has it")
    height, width = frames.shape[1:3]
    options = {"c:v": codec.encoder, **codec.options(quality), "g": str(_NO_MORE_KEYS), "pix_fmt": codec.pixels}
    options["threads"] = _THREADS
    given = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{width}x{height}", "-framerate", str(fps)]
    made = [part for option, value in options.items() for part in (f"-{option}", value)]
    return _run([*given, "-i", "pipe:0", *made, "-f", codec.form, "pipe:1"], np.ascontiguousarray(frames).tobytes())


def decode_stream(stream: bytes, name: str, size: tuple[int, int]) -> Frames:
    """Return the (T, H, W, 3) uint8 RGB frames of an elementary stream; `size` is its (width, height) in pixels.

    Raises EncoderError if ffmpeg cannot decode it.
    """
    raw = _run([*_given(name), "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"], stream)
    return np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0], 3)


def packet_bytes(stream: bytes, name: str) -> list[int]:
    """Return the sizes of the packets of an elementary stream in bytes, the key frame first."""
    lines = _run([*_given(name), "-c", "copy", "-f", "framecrc", "pipe:1"], stream).decode().splitlines()
    # Each line holds stream, dts, pts, duration, size and checksum.
    return [int(re.split(r",\s*", line)[4]) for line in lines if line and not line.startswith("#")]


def _given(name: str) -> list[str]:
    return ["-threads", _THREADS, "-f", STREAM_CODECS[name].form, "-i", "pipe:0"]


def _run(arguments: list[str], data: bytes) -> bytes:
    """Run ffmpeg on `data` as its stdin and return its stdout."""
    command = [ffmpeg.find_ffmpeg(), "-hide_banner", "-loglevel", "error", *arguments]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode:
        message = done.stderr.decode("utf-8", "replace").strip()
        raise EncoderError(
            f"ffmpeg failed on an elementary stream ({message[-_TAIL_CHARACTERS:]}); set FACEPIPE_FFMPEG to another",
            detail=message,
        )
    return done.stdout
