"""Small streams with known content."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from random import Random

import numpy as np

from facepipe.codec import Frame, Framing, Header, Lost, Reader, SoundFormat, TokenTable, Writer
from facepipe.codec.reader import Item
from facepipe.codec.table import CLASS_COUNT, SCALE_COUNT

SOUND = SoundFormat("opus", 48000, 1, 960, 312, b"OpusHead")
HEADER = Header(256, 192, Fraction(30000, 1001), "coefficients", bytes(range(16)), b"8 digits", 3, "av1", SOUND)
HEADER_BYTES = len(HEADER.packed())
FRAMING = Framing(1920, 1080, 960.5, 400.25, 512, -0.25)
FRAMES, KEY_EVERY = 24, 8


def written(writer: Writer, first: int = 0) -> Writer:
    """Write the items of the test stream from frame `first`, one with a key frame, on."""
    for frame in range(first, FRAMES):
        random = Random(frame)
        if frame % KEY_EVERY == 0:
            writer.key(random.randbytes(60), random.randbytes(8), FRAMING if frame else None)
        if frame % 7 in (2, 3):
            writer.skip()
        else:
            writer.frame(random.randbytes(70 if frame == 11 else random.randrange(6, 13)))
        writer.sound(random.randbytes(random.randrange(1, 20)))
    writer.finish()
    return writer


def stream() -> bytes:
    """Return a stream of 24 frames with 3 key frames, skipped frames and sound."""
    file = io.BytesIO()
    written(Writer(file, HEADER))
    return file.getvalue()


def items_of(content: bytes) -> list[Item]:
    return list(Reader(io.BytesIO(content)))


def frames_of(items: Sequence[Item]) -> dict[int, bytes]:
    return {item.frame: item.packet for item in items if isinstance(item, Frame)}


def lost_of(items: Sequence[Item]) -> list[int]:
    return [frame for item in items if isinstance(item, Lost) for frame in range(item.first, item.end)]


def table(size: int = 6) -> TokenTable:
    """Return a table of integers that uses all of its parts."""
    k, scales = np.arange(size), np.arange(SCALE_COUNT)[:, None]
    edges = 60 * (np.arange(CLASS_COUNT - 1) + 1) + 7 * k[:, None] + np.zeros((SCALE_COUNT, 1, 1), int)
    spread = np.clip(32 - 2 * scales - 3 * k, 0, 50)
    models = spread[..., None] + 2 * np.arange(CLASS_COUNT) + 64 * (k % 3)[:, None]
    unit = np.eye(size)
    return TokenTable(
        kind="imf",
        mean=np.zeros(size),
        analysis=unit,
        synthesis=unit,
        prediction=np.array([-128, 77, 0, -300, 256, 5][:size], np.int64),
        typical=np.maximum(200 >> (k + scales), 1).astype(np.int64),
        edges=edges.astype(np.int64),
        models=models.astype(np.int64),
        reference_models=(spread + 4 + np.zeros(size, int)).astype(np.int64),
    )
