"""Writing a stream."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import BinaryIO

from facepipe.codec.header import Header
from facepipe.codec.records import MAX_INDEX_BYTES, MAX_SKIPPED, Kind, frame_record, record, varint
from facepipe.codec.stream import (
    MAX_PACKET_BYTES,
    MAX_REFERENCE_BYTES,
    MAX_SOUND_BYTES,
    MAX_STILL_BYTES,
    Framing,
    Key,
    KeyPosition,
)
from facepipe.errors import InputError

END = struct.Struct("<QQI")
"""Payload of the END record: frames, packets of sound, bytes of the INDEX record before it."""
INDEX_ENTRY_BYTES = 12


class Writer:
    """Writes a stream record by record. The caller opens and closes the byte stream, which need not be seekable."""

    def __init__(self, stream: BinaryIO, header: Header, keys: Sequence[Key] = ()) -> None:
        """Write the header; or continue after the header and the records before the last of `keys`.

        `facepipe.codec.resuming.resumed` finds the keys and the place.
        """
        self.stream, self.header = stream, header
        self.offset = 0
        self.frame_count = self.key_count = self.sound_count = 0
        self.keys: list[KeyPosition] = [KeyPosition(key.frame, key.offset) for key in keys[:-1]]
        self._skipped = 0
        if keys:
            last = keys[-1]
            self.offset, self.key_count = last.offset, last.number
            self.frame_count, self.sound_count = last.frame, last.sound_number
        else:
            self._write(header.packed())

    def key(self, still: bytes, reference: bytes = b"", framing: Framing | None = None) -> None:
        """Begin a key frame at the next frame. Raises InputError if the still exceeds 1 MiB."""
        _check_length("a still", still, MAX_STILL_BYTES)
        _check_length("the tokens of a key frame", reference, MAX_REFERENCE_BYTES)
        self._flush_skipped()
        self.keys.append(KeyPosition(self.frame_count, self.offset))
        payload = varint(self.frame_count) + varint(self.key_count) + varint(self.sound_count)
        payload += b"\1" + framing.packed() if framing else b"\0"
        self._write(record(Kind.KEY, payload + varint(len(reference)) + reference + still))
        self.key_count += 1

    def frame(self, packet: bytes) -> None:
        """Write the tokens of the next frame, at most 111 bytes; an empty packet means none."""
        assert self.key_count, "a frame needs a key frame before it"
        _check_length("the tokens of a frame", packet, MAX_PACKET_BYTES)
        self._write(frame_record(packet, self.frame_count, self.key_count - 1, self._skipped))
        self._skipped = 0
        self.frame_count += 1

    def skip(self) -> None:
        """Leave out the tokens of the next frame, which the decoder interpolates.

        Up to 3 frames in succession cost no bytes, if another frame with tokens follows before the next key frame.
        """
        assert self.key_count, "a frame needs a key frame before it"
        if self._skipped == MAX_SKIPPED:
            self._flush_skipped()
        self._skipped += 1
        self.frame_count += 1

    def sound(self, packet: bytes) -> None:
        """Write the next packet of sound; an empty one for silence."""
        _check_length("a packet of sound", packet, MAX_SOUND_BYTES)
        self._write(record(Kind.SOUND, packet, self.sound_count))
        self.sound_count += 1

    def finish(self) -> None:
        """Write the index and the end. The byte stream stays open."""
        self._flush_skipped()
        index = record(Kind.INDEX, _index(self.keys))
        self._write(index + record(Kind.END, END.pack(self.frame_count, self.sound_count, len(index))))
        self.stream.flush()

    def _flush_skipped(self) -> None:
        """Write a record for skipped frames that the record of the next frame cannot mention."""
        if self._skipped:
            self._skipped -= 1
            self.frame_count -= 1
            self.frame(b"")

    def _write(self, content: bytes) -> None:
        self.stream.write(content)
        self.offset += len(content)


def _check_length(what: str, content: bytes, limit: int) -> None:
    if len(content) > limit:
        raise InputError(
            f"{what} of {len(content)} bytes; an .fpv stream holds at most {limit}. Lower size or quality."
        )


def _index(keys: list[KeyPosition]) -> bytes:
    """Return the payload of the INDEX: number of entries, then distances of frames and bytes from the entry before."""
    while len(keys) > MAX_INDEX_BYTES // INDEX_ENTRY_BYTES:
        keys = keys[::2]
    entries, frame, offset = [varint(len(keys))], 0, 0
    for key in keys:
        entries.append(varint(key.frame - frame) + varint(key.offset - offset))
        frame, offset = key.frame, key.offset
    return b"".join(entries)
