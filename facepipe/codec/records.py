"""Records: type, length, payload and checksum in bytes.

A record of a frame begins with one byte, 56 times the number of skipped frames before it (0 to 3) plus the length of
its packet, or for packets of 56 bytes and more with two bytes, 224 plus that number, and the length. The packet and a
CRC of 16 bits follow. The other records are a type byte of 0xF1 to 0xF4, the length as a variable-length integer, the
payload, and a CRC of 16 bits for sound and 32 bits otherwise.

The CRC of a frame begins with a value derived from the numbers of the frame and of its key frame, that of sound from
the number of the packet. So a reader that lost its place learns from a CRC where it is, and records carry no numbers.
"""

from __future__ import annotations

import binascii
import zlib
from enum import IntEnum
from functools import lru_cache

from facepipe.codec.stream import MAX_PACKET_BYTES, MAX_REFERENCE_BYTES, MAX_SOUND_BYTES, MAX_STILL_BYTES

MAX_SKIPPED = 3
"""Frames without a packet that the record of the next frame mentions."""
SHORT_BYTES = 56
LONG = SHORT_BYTES * (MAX_SKIPPED + 1)
"""First byte of the records of frames with packets of 56 bytes and more."""
POLYNOMIAL, ORDER = 0x11021, 32767
"""Of the CRC of 16 bits, CRC-CCITT, and the order of x modulo it."""
KEY_FACTOR = 4099
MAX_INDEX_BYTES = 1 << 20
VARINT_BYTES = 10


class Kind(IntEnum):
    """First byte of the records that are not frames."""

    KEY = 0xF1
    SOUND = 0xF2
    INDEX = 0xF3
    END = 0xF4


LIMITS = {
    Kind.KEY: MAX_STILL_BYTES + MAX_REFERENCE_BYTES + 64,
    Kind.SOUND: MAX_SOUND_BYTES,
    Kind.INDEX: MAX_INDEX_BYTES,
    Kind.END: 64,
}
"""Largest payload in bytes."""


def varint(value: int) -> bytes:
    """Return an integer from 0 in groups of 7 bits, lowest first; bit 7 marks that another byte follows."""
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(groups) + bytes([value])


def read_varint(content: bytes, place: int) -> tuple[int, int]:
    """Return the integer at `place` and the place after it. Raises ValueError if it is cut off or too long."""
    value = 0
    for index, byte in enumerate(content[place : place + VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, place + index + 1
    raise ValueError("not a variable-length integer")


def frame_seed(frame: int, key: int) -> int:
    """Return the first value of a frame's CRC, from the numbers of the frame and its key frame."""
    return ~(frame + KEY_FACTOR * key) & 0xFFFF


def frame_record(packet: bytes, frame: int, key: int, skipped: int) -> bytes:
    """Return the record of a frame after `skipped` frames without a packet."""
    assert len(packet) <= MAX_PACKET_BYTES, f"a packet of {len(packet)} bytes"
    assert skipped <= MAX_SKIPPED, f"{skipped} skipped frames"
    short = len(packet) < SHORT_BYTES
    head = bytes([SHORT_BYTES * skipped + len(packet)] if short else [LONG + skipped, len(packet)])
    content = head + packet
    return content + binascii.crc_hqx(content, frame_seed(frame, key)).to_bytes(2, "big")


def frame_head(head: bytes) -> tuple[int, int, int] | None:
    """Return skipped frames, length of the head and of the packet in the first two bytes of a frame's record.

    None if they are not those of a frame.
    """
    if head[0] < LONG:
        return head[0] // SHORT_BYTES, 1, head[0] % SHORT_BYTES
    if head[0] - LONG > MAX_SKIPPED or len(head) < 2 or not SHORT_BYTES <= head[1] <= MAX_PACKET_BYTES:
        return None
    return head[0] - LONG, 2, head[1]


def record(kind: Kind, payload: bytes, number: int = 0) -> bytes:
    """Return another record; `number` is that of a packet of sound."""
    assert len(payload) <= LIMITS[kind], f"a payload of {len(payload)} bytes"
    content = bytes([kind]) + varint(len(payload)) + payload
    if kind == Kind.SOUND:
        return content + binascii.crc_hqx(content, ~number & 0xFFFF).to_bytes(2, "big")
    return content + zlib.crc32(content).to_bytes(4, "big")


def seed_of(content: bytes, crc: int) -> int:
    """Return the first value with which the CRC-16 of the content is `crc`: there is exactly one.

    A first value s adds s * x**(8 L) to the CRC of L bytes, modulo the polynomial, of which x**32767 is 1.
    """
    return _product(crc ^ binascii.crc_hqx(content, 0), _power_of_x(-8 * len(content) % ORDER))


@lru_cache(maxsize=4096)
def _power_of_x(exponent: int) -> int:
    result, square = 1, 2
    while exponent:
        if exponent & 1:
            result = _product(result, square)
        square = _product(square, square)
        exponent >>= 1
    return result


def _product(a: int, b: int) -> int:
    """Return the product of two polynomials over GF(2), modulo that of the CRC."""
    result = 0
    while b:
        if b & 1:
            result ^= a
        a <<= 1
        if a > 0xFFFF:
            a ^= POLYNOMIAL
        b >>= 1
    return result
