"""Display matrix of a video: whether it mirrors the pictures, which ffmpeg applies but does not print."""

from __future__ import annotations

import struct
from io import BufferedReader
from pathlib import Path
from typing import Any

import ffmpeg as graph

from facepipe.media import ffmpeg

# From the type of a track header to its matrix, in a box of version 0 (ISO/IEC 14496-12, 8.3.2).
_MATRIX_START = 44
_MATRIX = struct.Struct(">9i")
_MOST_BYTES = 1 << 16
# QuickTime does not hold every codec, so the second way decodes the first frame.
_WAYS: tuple[dict[str, Any], ...] = (
    {"c:v": "copy"},
    {"c:v": "rawvideo", "pix_fmt": "gray", "vf": "scale=16:16"},
)


def is_mirrored(path: Path, track: int) -> bool:
    """Return whether the display matrix of a video stream, counted from 0, mirrors. If it cannot be read, it does not.

    ffmpeg copies the matrix of any container to the track header of a QuickTime file, which is read here.
    """
    for way in _WAYS:
        source = ffmpeg.input_file(path, noautorotate=None)[f"V:{track}"]
        options = {"format": "mov", "movflags": "empty_moov+frag_keyframe", "frames:v": 1, **way}
        with ffmpeg.Child(ffmpeg.arguments(graph.output(source, "pipe:1", **options)), data_out=True) as child:
            header = BufferedReader(child.stdout).read(_MOST_BYTES)  # type: ignore[type-var]
            child.kill()
        at = header.find(b"tkhd")
        if at >= 0 and len(header) >= at + _MATRIX_START + _MATRIX.size:
            a, b, _, c, d, *_ = _MATRIX.unpack_from(header, at + _MATRIX_START)
            return bool(a * d - b * c < 0)
    return False
