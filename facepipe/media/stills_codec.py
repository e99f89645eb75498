"""Key stills: one square picture as the bare AV1 stream of a still, without a container.

AVIF holds the same stream; its boxes are about 290 bytes, a third of a key still. docs/codec.md compares the codecs.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import Any

import ffmpeg as graph
import numpy as np
from numpy.typing import NDArray

from facepipe.errors import EncoderError, InputError, ToolError
from facepipe.media import ffmpeg

Picture = NDArray[np.uint8]
FORMAT = "av1"
_ENCODER = "libsvtav1"
_DECODERS = ("libdav1d", "libaom-av1", "av1")
# Slower presets gain less than 1 % in bytes.
_PRESET = 2
FINEST, COARSEST = 12, 63
"""The range of the quantiser."""
# The temporal delimiter, which starts every AV1 stream of one still and is not stored.
_DELIMITER = bytes((0x12, 0x00))
_TO_VIDEO = "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_inp+bitexact"
_TO_PICTURE = "scale={0}:{0}:in_color_matrix=bt709:in_range=tv:flags=bicubic+accurate_rnd+full_chroma_int+bitexact"


def check_stills() -> None:
    """Raise ToolError if this ffmpeg cannot encode or decode key stills."""
    program = ffmpeg.find_ffmpeg()
    if _ENCODER not in ffmpeg.encoders(program):
        raise ToolError(
            f"this ffmpeg has no {_ENCODER}, which key frames need; install a full ffmpeg, or `pip install "
            "imageio-ffmpeg` and set FACEPIPE_FFMPEG to its path"
        )
    _decoder(program)


@lru_cache(maxsize=4)
def _decoder(program: str) -> str:
    present = ffmpeg.decoders(program)
    for name in _DECODERS:
        if name in present:
            return name
    raise ToolError(
        f"this ffmpeg has none of {', '.join(_DECODERS)}, which key frames need; install a full ffmpeg, or `pip "
        "install imageio-ffmpeg` and set FACEPIPE_FFMPEG to its path"
    )


def encode_still(picture: Picture, quantiser: int) -> bytes:
    """Encode an (S, S, 3) uint8 RGB picture. `quantiser` is `FINEST` to `COARSEST`.

    The same picture gives the same bytes on every processor and with any number of threads.
    """
    side = len(picture)
    source = graph.input("pipe:0", format="rawvideo", pix_fmt="rgb24", video_size=(side, side), framerate="25")
    options: dict[str, Any] = {
        "vf": f"{_TO_VIDEO},format=yuv420p",
        "c:v": _ENCODER,
        "crf": quantiser,
        "preset": _PRESET,
        "svtav1-params": "avif=1",
        "frames:v": 1,
        "format": "obu",
    }
    # SVT-AV1 prints its settings to stderr whatever the log level.
    stream = _exchange(
        ffmpeg.arguments(graph.output(source, "pipe:1", **options), loglevel="error", reads_stdin=True),
        picture.tobytes(),
    )
    if not stream.startswith(_DELIMITER):
        raise EncoderError("a key frame could not be encoded: ffmpeg wrote no AV1 stream; run again, with -v for more")
    return stream[len(_DELIMITER) :]


def fit_still(picture: Picture, max_bytes: int) -> bytes:
    """Encode a picture as well as `max_bytes` allow; as coarsely as possible if even that is larger."""
    low, high, best = FINEST, COARSEST, b""
    while low <= high:
        middle = (low + high) // 2
        stream = encode_still(picture, middle)
        if len(stream) <= max_bytes:
            best, high = stream, middle - 1
        else:
            low = middle + 1
    return best or encode_still(picture, COARSEST)


def decode_still(stream: bytes, size_pixels: int) -> Picture:
    """Decode a still to (size, size, 3) uint8 RGB. Raises InputError for a damaged one.

    A stream that declares other sizes is scaled; one of more than four times the pixels is refused.
    """
    program = ffmpeg.find_ffmpeg()
    limit = max(4 * size_pixels * size_pixels, 1 << 16)
    source = graph.input("pipe:0", format="obu", vcodec=_decoder(program), max_pixels=limit, threads=1)
    steps = f"{_TO_PICTURE.format(size_pixels)},format=rgb24"
    output = graph.output(source, "pipe:1", format="rawvideo", pix_fmt="rgb24", vf=steps, **{"frames:v": 1})
    pixels = _exchange(ffmpeg.arguments(output, loglevel="error", reads_stdin=True), _DELIMITER + stream)
    if len(pixels) != size_pixels * size_pixels * 3:
        raise InputError("a key frame is damaged: its still cannot be decoded")
    return np.frombuffer(pixels, np.uint8).reshape(size_pixels, size_pixels, 3)


def _exchange(command: list[str], data: bytes) -> bytes:
    """Run ffmpeg with `data` as its input, and return its output."""
    with ffmpeg.Child(command, frames_in=True, data_out=True) as child:
        rest = memoryview(data)
        with suppress(BrokenPipeError):  # it ended early: its output says why
            while rest:
                rest = rest[child.stdin.write(rest) :]
        with suppress(BrokenPipeError):
            child.stdin.close()
        parts = []
        while part := child.stdout.read(1 << 20):
            parts.append(part)
        child.wait()
    return b"".join(parts)
