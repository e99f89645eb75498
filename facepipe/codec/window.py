"""A window on a byte stream that need not be seekable."""

from __future__ import annotations

from typing import BinaryIO

CHUNK_BYTES = 1 << 16


class Window:
    """Bytes of a stream from `offset` on, read as they are asked for."""

    def __init__(self, stream: BinaryIO, offset: int) -> None:
        self.stream, self.offset = stream, offset
        self._bytes, self._begin, self._ended = bytearray(), 0, False
        self.peeked_bytes = 0
        """Bytes that `peek` has returned, as a measure of work."""
        # A pipe returns what has arrived, so that decoding keeps pace with it.
        self._read = getattr(stream, "read1", stream.read)

    def peek(self, place: int, count: int) -> bytes:
        """Return `count` bytes from `place` after `offset`, or fewer at the end of the stream."""
        end = self._begin + place + count
        while len(self._bytes) < end and not self._ended:
            more = self._read(CHUNK_BYTES)
            self._ended = not more
            self._bytes += more
        content = bytes(self._bytes[self._begin + place : end])
        self.peeked_bytes += len(content)
        return content

    def drop(self, count: int) -> None:
        """Move `offset` forward by `count` bytes that were peeked at."""
        self.offset += count
        self._begin += count
        if self._begin > CHUNK_BYTES:
            del self._bytes[: self._begin]
            self._begin = 0
