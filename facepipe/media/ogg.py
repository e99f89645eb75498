"""Ogg with one Opus stream: reading its packets, and writing packets (RFC 3533, RFC 7845)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Protocol

from facepipe.errors import InputError

HERTZ = 48_000
"""Opus counts time in this many samples per second, whatever the rate of the sound."""
_PAGE = struct.Struct("<4sBBqIIIB")
_SERIAL = 1
_MAX_SEGMENTS = 255
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_VENDOR = b"facepipe"


class Readable(Protocol):
    """Bytes to read."""

    def read(self, count: int, /) -> bytes:
        """Return `count` bytes, or fewer at the end."""


class Writable(Protocol):
    """Bytes to write."""

    def write(self, data: bytes, /) -> object:
        """Write all bytes."""

    def flush(self) -> object:
        """Pass them on."""


def read_packets(stream: Readable) -> Iterator[bytes]:
    """Yield the packets of an Ogg stream; the first two are the headers. Raises InputError for other content."""
    partial = b""
    while page := stream.read(_PAGE.size):
        if len(page) < _PAGE.size or not page.startswith(b"OggS"):
            raise InputError("an Ogg stream is damaged: a page begins with other bytes; make it again")
        count = page[-1]
        lengths = stream.read(count)
        for length in lengths:
            partial += stream.read(length)
            if length < 255:
                yield partial
                partial = b""


class OggWriter:
    """Writes Opus packets, one a page, so that a reader gets each at once."""

    def __init__(self, stream: Writable, head: bytes) -> None:
        """Write the headers. `head` is the packet OpusHead."""
        self._stream, self._page, self._samples = stream, 0, 0
        self._write(head, 0, _FIRST)
        self._write(b"OpusTags" + struct.pack("<I", len(_VENDOR)) + _VENDOR + bytes(4), 0, 0)

    def packet(self, packet: bytes, samples: int) -> None:
        """Write a packet that lasts `samples` at 48 kHz."""
        self._samples += samples
        self._write(packet, self._samples, 0)

    def close(self) -> None:
        """Write the end of the stream, and flush it. The stream stays open."""
        self._write_page(b"", b"", self._samples, _LAST)
        self._stream.flush()

    def _write(self, packet: bytes, position: int, kind: int) -> None:
        lengths = bytes([255]) * (len(packet) // 255) + bytes([len(packet) % 255])
        while lengths:
            part, lengths = lengths[:_MAX_SEGMENTS], lengths[_MAX_SEGMENTS:]
            size = sum(part)
            # A page on which no packet ends has no position.
            self._write_page(part, packet[:size], position if not lengths else -1, kind)
            packet, kind = packet[size:], _CONTINUED

    def _write_page(self, lengths: bytes, content: bytes, position: int, kind: int) -> None:
        def page(crc: int) -> bytes:
            fields = _PAGE.pack(b"OggS", 0, kind, position, _SERIAL, self._page, crc, len(lengths))
            return fields + lengths + content

        self._stream.write(page(_crc(page(0))))
        self._page += 1


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return table


_TABLE = _crc_table()


def _crc(content: bytes) -> int:
    """Return Ogg's CRC: CRC-32 without reflection, from 0."""
    crc = 0
    for byte in content:
        crc = ((crc << 8) & 0xFFFFFFFF) ^ _TABLE[(crc >> 24) ^ byte]
    return crc


def samples_of(packet: bytes) -> int:
    """Return the duration of an Opus packet in samples at 48 kHz, from its first bytes; 0 if it is damaged."""
    if not packet:
        return 0
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame = (480, 960, 1920, 2880)[config & 3]
    elif config < 16:
        frame = (480, 960)[config & 1]
    else:
        frame = (120, 240, 480, 960)[config & 3]
    if code == 3:
        return frame * (packet[1] & 0x3F) if len(packet) > 1 else 0
    return frame * (1 if code == 0 else 2)


def concealment(packet: bytes) -> bytes:
    """Return a packet of the same duration without sound, for which decoders continue what they heard before."""
    config, code = packet[0] & 0xFC, packet[0] & 3
    if code == 3:
        return bytes([config | 3, packet[1] & 0x3F])
    return bytes([config | (1 if code else 0)])
