"""The items of a stream: what is written to it and read from it."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from facepipe.errors import InputError

MAX_PACKET_BYTES = 111
"""Of the tokens of one frame."""
MAX_STILL_BYTES = 1 << 20
MAX_REFERENCE_BYTES = 4096
MAX_SOUND_BYTES = 1 << 16
MAX_FRAMES = 1 << 32

_FRAMING = struct.Struct("<HHiiiH")
PIXEL_PARTS = 256
TURN_PARTS = 1 << 16


@dataclass(frozen=True)
class Framing:
    """The square of the original picture that the frames show. Written in 1/256 pixel and 1/65536 turn."""

    picture_width: int
    picture_height: int
    """Size of the original picture in pixels, up to 65535."""
    center_x: float
    center_y: float
    side: float
    """In pixels of the picture."""
    angle_radians: float = 0.0
    """Clockwise rotation of the square."""

    def packed(self) -> bytes:
        """Return the 18 bytes in the file."""
        lengths = (round(value * PIXEL_PARTS) for value in (self.center_x, self.center_y, self.side))
        turn = round(self.angle_radians / (2 * math.pi) * TURN_PARTS) % TURN_PARTS
        try:
            return _FRAMING.pack(self.picture_width, self.picture_height, *lengths, turn)
        except struct.error:
            raise InputError(
                f"a picture of {self.picture_width}x{self.picture_height} pixels is too large for an .fpv stream."
            ) from None


def unpacked_framing(content: bytes) -> Framing:
    """Return the framing in 18 bytes."""
    width, height, x, y, side, turn = _FRAMING.unpack(content)
    half = TURN_PARTS // 2
    angle = ((turn + half) % TURN_PARTS - half) / TURN_PARTS * 2 * math.pi
    return Framing(width, height, x / PIXEL_PARTS, y / PIXEL_PARTS, side / PIXEL_PARTS, angle)


FRAMING_BYTES = _FRAMING.size


@dataclass(frozen=True)
class Key:
    """A key frame: the portrait that the frames from `frame` on are rendered from, up to the next key frame.

    It is not a frame itself: frame `frame` has its own packet.
    """

    frame: int
    """Number of the first frame that refers to it."""
    still: bytes
    """The coded picture, without a container."""
    reference: bytes = b""
    """Packet of the key frame's own tokens (`facepipe.codec.tokens.Reference`)."""
    framing: Framing | None = None
    """None if the frames show the whole picture."""
    number: int = 0
    """Key frames before this one."""
    sound_number: int = 0
    """Packets of sound before this key frame."""
    offset: int = 0
    """Position of the record in bytes from the start of the stream."""


@dataclass(frozen=True)
class Frame:
    """A frame that follows the last Key."""

    frame: int
    """Number, from 0."""
    packet: bytes
    """Tokens; empty if none were sent for this frame, which is interpolated from its neighbours."""


@dataclass(frozen=True)
class Sound:
    """A packet of sound."""

    number: int
    """Number, from 0. A gap in the numbers means lost packets."""
    position_samples: int
    """Time of the first sample; negative for samples that are not heard."""
    packet: bytes
    """Empty for silence."""


@dataclass(frozen=True)
class Lost:
    """Frames `first` up to, not including, `end`, whose packets or whose key frame are damaged or missing."""

    first: int
    end: int


@dataclass(frozen=True)
class End:
    """The end of a complete stream."""

    frame_count: int
    sound_count: int


@dataclass(frozen=True)
class KeyPosition:
    """Entry of the index: where a key frame begins."""

    frame: int
    offset: int
