"""Parsing of single records at a place of a stream where one may begin."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from facepipe.codec.records import KEY_FACTOR, LIMITS, VARINT_BYTES, Kind, frame_head, read_varint, seed_of
from facepipe.codec.stream import (
    FRAMING_BYTES,
    MAX_FRAMES,
    MAX_REFERENCE_BYTES,
    MAX_STILL_BYTES,
    Key,
    KeyPosition,
    unpacked_framing,
)
from facepipe.codec.window import Window

MAX_LOST_FRAMES = 1024
MAX_LOST_KEYS = 4
MAX_LOST_SOUND = 1024
"""Losses between two records that the checksum of the second one tells apart."""


@dataclass(frozen=True)
class Parsed:
    """A record whose checksum is right."""

    kind: Kind | None
    """None for a frame."""
    payload: bytes
    size: int
    """Bytes of the whole record."""
    skipped: int = 0
    """Frames without a packet before a frame."""
    seed: int = 0
    """First value of the CRC of frames and sound, to be compared with that of the expected number."""


def parse(window: Window, place: int) -> Parsed | None:
    """Return the record that begins at `place`; None if there is none, or a damaged or incomplete one.

    Any bytes of the right length are a frame or a packet of sound with some seed, which the caller must check.
    """
    head = window.peek(place, 2)
    if not head:
        return None
    if head[0] in LIMITS:
        return _parse_long(Kind(head[0]), window, place)
    frame = frame_head(head)
    if not frame:
        return None
    skipped, begin, length = frame
    content = window.peek(place, begin + length + 2)
    if len(content) < begin + length + 2:
        return None
    seed = seed_of(content[:-2], int.from_bytes(content[-2:], "big"))
    return Parsed(None, content[begin:-2], len(content), skipped, seed)


def _parse_long(kind: Kind, window: Window, place: int) -> Parsed | None:
    try:
        length, begin = read_varint(window.peek(place, 1 + VARINT_BYTES), 1)
    except ValueError:
        return None
    if length > LIMITS[kind]:
        return None
    check = 2 if kind == Kind.SOUND else 4
    content = window.peek(place, begin + length + check)
    if len(content) < begin + length + check:
        return None
    covered, crc = content[:-check], int.from_bytes(content[-check:], "big")
    if kind == Kind.SOUND:
        return Parsed(kind, covered[begin:], len(content), seed=seed_of(covered, crc))
    return Parsed(kind, covered[begin:], len(content)) if zlib.crc32(covered) == crc else None


def lost_before(found: Parsed, frame: int, key: int) -> tuple[int, int] | None:
    """Return how many frames and key frames are missing before a frame, from its seed, when `frame` was expected.

    None if no small number explains the seed. Skipped frames are not missing.
    """
    for keys in range(MAX_LOST_KEYS):
        frames = (~found.seed - frame - found.skipped - KEY_FACTOR * (key + keys)) & 0xFFFF
        if frames < MAX_LOST_FRAMES:
            return frames, keys
    return None


def lost_sound_before(found: Parsed, number: int) -> int | None:
    """Return how many packets are missing before a packet of sound; None if no small number explains its seed."""
    lost = (~found.seed - number) & 0xFFFF
    return lost if lost < MAX_LOST_SOUND else None


def key_of(payload: bytes, offset: int) -> Key | None:
    """Return the key frame of a KEY record; None if its fields contradict each other."""
    try:
        frame, place = read_varint(payload, 0)
        number, place = read_varint(payload, place)
        sound_number, place = read_varint(payload, place)
        framing = None
        if payload[place : place + 1] == b"\1":
            framing = unpacked_framing(payload[place + 1 : place + 1 + FRAMING_BYTES])
            place += FRAMING_BYTES
        size, place = read_varint(payload, place + 1)
    except ValueError:
        return None
    still = payload[place + size :]
    if size > MAX_REFERENCE_BYTES or len(payload) < place + size or len(still) > MAX_STILL_BYTES:
        return None
    if max(frame, number, sound_number) >= MAX_FRAMES:
        return None
    return Key(frame, still, payload[place : place + size], framing, number, sound_number, offset)


def index_of(payload: bytes) -> list[KeyPosition] | None:
    """Return the entries of an INDEX record; None if it is not one."""
    entries, frame, offset = [], 0, 0
    try:
        count, place = read_varint(payload, 0)
        for _ in range(min(count, len(payload))):
            frames, place = read_varint(payload, place)
            distance, place = read_varint(payload, place)
            frame, offset = frame + frames, offset + distance
            entries.append(KeyPosition(frame, offset))
    except ValueError:
        return None
    return entries if place == len(payload) and len(entries) == count else None
