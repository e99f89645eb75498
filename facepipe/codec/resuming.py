"""Continuing a stream whose writing was interrupted."""

from __future__ import annotations

from dataclasses import replace
from typing import BinaryIO

from facepipe.codec.header import Header
from facepipe.codec.reader import Reader
from facepipe.codec.writer import Writer
from facepipe.errors import InputError


def resumed(stream: BinaryIO, header: Header) -> Writer | None:
    """Cut an unfinished stream off before its last key frame, and return a Writer that continues there.

    The stream is open for reading and writing. The next call must be `key`; `frame_count`, `key_count` and
    `sound_count` of the writer say how much is written. With the same calls, the stream becomes the one that an
    uninterrupted run writes. Returns None if there is nothing to continue: the stream has no key frame, another header
    or damage before its first key frame, or is complete.
    """
    stream.seek(0)
    try:
        reader = Reader(stream)
        if reader.header != header:
            return None
        # Without the stills, which may not fit into memory together.
        keys = [replace(key, still=b"", reference=b"") for key in reader.keys_until_damage()]
    except InputError:
        return None
    if not keys or reader.complete:
        return None
    stream.seek(keys[-1].offset)
    stream.truncate()
    return Writer(stream, header, keys)
