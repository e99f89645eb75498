"""The header of a stream."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

from facepipe.codec.table import SCALE_COUNT
from facepipe.errors import InputError

MAGIC = b"\x89FPV\r\n\x1a\n"
VERSION = 1
TOKEN_KINDS = ("coefficients", "imf")
STILL_CODECS = ("jpeg", "av1", "vvc", "hevc", "h264", "webp", "png")
"""Names of still codecs; the number in the file is the index. av1 is OBUs; vvc, hevc and h264 are Annex B streams."""
SOUND_CODECS = ("opus", "aac", "mp3", "flac", "ac3")
"""Names of sound codecs; the number in the file is the index + 1, because 0 is no sound."""
MAX_SIDE_PIXELS = 8192
MAX_RATE = 1000
MAX_CONFIGURATION_BYTES = 4096

_START = struct.Struct("<8sBH")
_FIXED = struct.Struct("<HHIIBBB16s8sB")
_SOUND = struct.Struct("<IBHHH")


@dataclass(frozen=True)
class SoundFormat:
    """How the packets of sound are decoded."""

    codec: str
    """One of SOUND_CODECS."""
    sample_rate: int
    """In Hz, of positions and durations; 48000 for Opus."""
    channels: int
    packet_samples: int
    """Duration of every packet in samples: packet i begins at `i * packet_samples - skip_samples`."""
    skip_samples: int = 0
    """Samples at the start that are decoded and not heard (pre-skip, priming)."""
    configuration: bytes = b""
    """Set-up data of the decoder, such as OpusHead or AudioSpecificConfig; at most 4096 bytes."""


@dataclass(frozen=True)
class Header:
    """What a decoder must know before the first record."""

    width: int
    height: int
    """Size of the frames in pixels, 1 to 8192."""
    fps: Fraction
    """Frames per second, up to 1000."""
    tokens: str
    """One of TOKEN_KINDS."""
    model_digest: bytes
    """(16 bytes) digest of all weights that the frames are rendered with."""
    table_digest: bytes
    """(8 bytes) digest of the token table, `TokenTable.digest`."""
    scale: int
    """Number of the quantiser's scale, 0 (finest) to 9; see `facepipe.codec.tokens`."""
    still_codec: str
    """One of STILL_CODECS."""
    sound: SoundFormat | None = None

    def packed(self) -> bytes:
        """Return the bytes of the header. Raises InputError for values that the format cannot hold."""
        _check(self)
        fields = _FIXED.pack(
            self.width,
            self.height,
            self.fps.numerator,
            self.fps.denominator,
            TOKEN_KINDS.index(self.tokens),
            self.scale,
            STILL_CODECS.index(self.still_codec),
            self.model_digest,
            self.table_digest,
            SOUND_CODECS.index(self.sound.codec) + 1 if self.sound else 0,
        )
        if sound := self.sound:
            fields += _SOUND.pack(
                sound.sample_rate, sound.channels, sound.packet_samples, sound.skip_samples, len(sound.configuration)
            )
            fields += sound.configuration
        start = _START.pack(MAGIC, VERSION, len(fields)) + fields
        return start + zlib.crc32(start).to_bytes(4, "little")


def read_header(stream: BinaryIO) -> tuple[Header, int]:
    """Read a header from the start of a stream; return it with its length in bytes.

    Raises InputError for a stream of another format or version, or with a damaged header.
    """
    start = _exactly(stream, _START.size)
    magic, version, length = _START.unpack(start.ljust(_START.size, b"\0"))
    if magic != MAGIC:
        raise InputError(
            "this is not an .fpv stream: it begins with other bytes. Give a file that `facepipe encode` wrote."
        )
    if version != VERSION:
        raise InputError(
            f"the .fpv stream has version {version}, expected {VERSION}: decode it with the facepipe that wrote it."
        )
    if length > _FIXED.size + _SOUND.size + MAX_CONFIGURATION_BYTES:
        raise _damaged()
    fields, crc = _exactly(stream, length), _exactly(stream, 4)
    if len(fields) < _FIXED.size or zlib.crc32(start + fields).to_bytes(4, "little") != crc:
        raise _damaged()
    return _unpacked(fields), len(start) + length + 4


def _damaged() -> InputError:
    return InputError("the header of the .fpv stream is damaged or cut off; get the file again.")


def _exactly(stream: BinaryIO, count: int) -> bytes:
    """Read `count` bytes, or fewer at the end of the stream."""
    parts = b""
    while len(parts) < count and (more := stream.read(count - len(parts))):
        parts += more
    return parts


def _unpacked(fields: bytes) -> Header:
    width, height, top, bottom, kind, scale, still, model, table, codec = _FIXED.unpack_from(fields)
    rest = fields[_FIXED.size :]
    if not bottom or kind >= len(TOKEN_KINDS) or still >= len(STILL_CODECS) or codec > len(SOUND_CODECS):
        raise _damaged()
    sound = None
    if codec:
        if len(rest) < _SOUND.size:
            raise _damaged()
        rate, channels, samples, skip, size = _SOUND.unpack_from(rest)
        rest = rest[_SOUND.size :]
        sound = SoundFormat(SOUND_CODECS[codec - 1], rate, channels, samples, skip, rest[:size])
        rest = rest[size:] if len(rest) >= size else b"short"
    if rest:
        raise _damaged()
    header = Header(
        width, height, Fraction(top, bottom), TOKEN_KINDS[kind], model, table, scale, STILL_CODECS[still], sound
    )
    _check(header)
    return header


def _check(header: Header) -> None:
    """Raise InputError for values beyond the format's limits."""
    sound = header.sound
    if not (1 <= header.width <= MAX_SIDE_PIXELS and 1 <= header.height <= MAX_SIDE_PIXELS):
        problem = f"frames of {header.width}x{header.height} pixels, expected 1 to {MAX_SIDE_PIXELS} a side"
    elif not 0 < header.fps <= MAX_RATE or max(header.fps.numerator, header.fps.denominator) >= 2**32:
        problem = f"{header.fps} frames per second, expected at most {MAX_RATE}"
    elif not 0 <= header.scale < SCALE_COUNT:
        problem = f"quantiser scale {header.scale}, expected 0 to {SCALE_COUNT - 1}"
    elif len(header.model_digest) != 16 or len(header.table_digest) != 8:
        problem = "digests of another length than 16 and 8 bytes"
    elif sound and not (
        1 <= sound.sample_rate <= 768_000
        and 1 <= sound.channels <= 64
        and 1 <= sound.packet_samples < 2**16
        and 0 <= sound.skip_samples < 2**16
        and len(sound.configuration) <= MAX_CONFIGURATION_BYTES
    ):
        problem = "sound parameters beyond the format's limits"
    else:
        return
    raise InputError(f"an .fpv stream cannot have {problem}.")
