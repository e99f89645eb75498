"""Picture files that hold several pictures: animations, and what follows a JPEG. Only their structure is read."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO

_SEQUENCE_BRANDS = (b"avis", b"msf1", b"hevc", b"hevx")
_IMAGE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heif", b"hevc", b"hevx", b"mif1", b"msf1")
_CHUNK_BYTES = 1 << 16


def is_animated(path: Path) -> bool | None:
    """Return True for a GIF, PNG, WebP, AVIF or HEIF file with several frames, False with one, None for other files.

    A damaged file counts as far as it can be read. Raises OSError.
    """
    with path.open("rb") as file:
        head = file.read(32)
        for known, count in _COUNTERS:
            if known(head):
                file.seek(0)
                try:
                    return count(file)
                except (struct.error, IndexError):
                    return False
    return None


def _gif(file: IO[bytes]) -> bool:
    """Return whether a second picture follows the first."""
    flags = file.read(13)[10]
    _skip_table(file, flags)
    pictures = 0
    while block := file.read(1):
        if block == b"\x2c":
            pictures += 1
            if pictures > 1:
                return True
            _skip_table(file, file.read(9)[8])
            file.read(1)
        elif block == b"\x21":
            file.read(1)
        else:
            return False
        while size := file.read(1)[0]:
            file.seek(size, 1)
    return False


def _skip_table(file: IO[bytes], flags: int) -> None:
    """Skip the colour table that the flags announce."""
    if flags & 0x80:
        file.seek(3 << ((flags & 7) + 1), 1)


def _png(file: IO[bytes]) -> bool:
    file.seek(8)
    while True:
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"acTL":
            return bool(struct.unpack(">I", file.read(4))[0] > 1)
        if kind in (b"IDAT", b"IEND"):
            return False
        file.seek(length + 4, 1)


def _webp(file: IO[bytes]) -> bool:
    file.seek(12)
    frames = 0
    while len(head := file.read(8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        frames += kind == b"ANMF"
        if frames > 1:
            return True
        file.seek(length + length % 2, 1)
    return False


def _heif(file: IO[bytes]) -> bool:
    """Return whether there is a track of pictures beside the still one."""
    length, _, major = struct.unpack(">I4s4s", file.read(12))
    brands = major + file.read(max(min(length, _CHUNK_BYTES) - 12, 0))
    if not any(brand in brands for brand in _SEQUENCE_BRANDS):
        return False
    file.seek(length)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"moov":
            return True
        if length == 1:
            length = struct.unpack(">Q", file.read(8))[0] - 8
        if length < 8:
            return False
        file.seek(length - 8, 1)
    return False


def is_heif(head: bytes) -> bool:
    """Return whether the first bytes of a file are those of an AVIF or HEIF picture."""
    return head[4:8] == b"ftyp" and head[8:12] in _IMAGE_BRANDS


_COUNTERS = (
    (lambda head: head[:6] in (b"GIF87a", b"GIF89a"), _gif),
    (lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", _webp),
    (is_heif, _heif),
)


def after_jpeg(path: Path) -> str:
    """Return what follows the first picture in a JPEG file: "picture", "video", or "" if it is neither."""
    content = path.read_bytes()
    if not content.startswith(b"\xff\xd8"):
        return ""
    end = content.find(b"\xff\xd9", _start_of_scan(content))
    rest = content[end + 2 : end + 2 + _CHUNK_BYTES] if end >= 0 else b""
    if rest.startswith(b"\xff\xd8\xff"):
        return "picture"
    return "video" if b"ftyp" in rest[:64] else ""


def _start_of_scan(content: bytes) -> int:
    """Return the offset of the compressed data, after the segments, which may contain thumbnails."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        if content[at + 1] == 0xDA:
            return at
        at += 2 + int(struct.unpack(">H", content[at + 2 : at + 4])[0])
    return len(content)
