"""The header of a WAV file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

# Sizes from here on are written by programs that do not know the length yet, such as recorders and pipes.
_UNKNOWN_SIZE = 0x7FFF0000
_MOST_CHUNKS = 1000
_MOST_FORMAT_BYTES = 4096


@dataclass(frozen=True)
class WaveHeader:
    """The part of a WAV file before its samples."""

    channels: int
    data_start: int
    """Position of the first sample, in bytes."""
    data_bytes: int | None
    """Stated size of all samples; None if the header does not state it."""


def read_wave_header(source: IO[bytes]) -> WaveHeader | None:
    """Read up to the first sample. Return None if it is not a WAV file, or has no samples."""
    start = source.read(12)
    if len(start) < 12 or start[:4] != b"RIFF" or start[8:] != b"WAVE":
        return None
    place, channels = 12, 0
    for _ in range(_MOST_CHUNKS):
        head = source.read(8)
        size = int.from_bytes(head[4:], "little")
        place += 8
        if len(head) < 8:
            return None
        if head[:4] == b"data":
            return WaveHeader(channels, place, size if 0 < size < _UNKNOWN_SIZE else None)
        # Chunks have an even length.
        size += size % 2
        if head[:4] == b"fmt ":
            content = source.read(min(size, _MOST_FORMAT_BYTES))
            channels = int.from_bytes(content[2:4], "little")
            _skip(source, size - len(content))
        else:
            _skip(source, size)
        place += size
    return None


def _skip(source: IO[bytes], count: int) -> None:
    """Read and drop bytes, as a pipe cannot seek."""
    while count > 0 and (block := source.read(min(count, 1 << 16))):
        count -= len(block)
