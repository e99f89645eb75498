"""Encoding and decoding in one pass, as filters: nothing is stored, and memory does not grow with the length."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from facepipe.codec import Sound, SoundFormat, Writer
from facepipe.coding.assembling import Interleaver, write_run
from facepipe.coding.playing import Player, SoundWriter
from facepipe.coding.segment import SegmentCoder, framing_of
from facepipe.media.live import LiveOutput

Picture = NDArray[np.uint8]


def encode_stream(
    frames: Iterator[Picture],
    coder: SegmentCoder,
    out: BinaryIO,
    *,
    segment_frames: int,
    model_digest: bytes,
    sound: SoundFormat | None = None,
    packets: Iterable[bytes | None] = (),
    advance: Callable[[int], None] = lambda _: None,
) -> Writer:
    """Encode (H, W, 3) uint8 RGB frames as they come, a segment of `segment_frames` after another.

    A segment is written as soon as its last frame came. `packets` are those of the sound, None for one that is late.
    `frames` must not be empty.
    """
    writer: Writer | None = None
    interleaver: Interleaver | None = None
    while (first := next(frames, None)) is not None:
        view = coder.viewer.view(itertools.chain([first], itertools.islice(frames, segment_frames - 1)), advance)
        runs = coder.code(view)
        if writer is None or interleaver is None:
            writer = Writer(out, coder.header(model_digest, sound))
            interleaver = Interleaver(writer, packets)
        for run in runs:
            write_run(writer, run, framing_of(view), interleaver)
        out.flush()
    assert writer is not None, "no frame came"
    assert interleaver is not None
    interleaver.until(writer.frame_count, waits=True)
    writer.finish()
    return writer


def play_to_pipe(
    player: Player, *, first: int, end: int | None, quality: int, advance: Callable[[int], None] = lambda _: None
) -> int:
    """Write frames and sound to stdout as Matroska while they are drawn. Returns the number of lost packets of sound.

    Raises BrokenPipeError if nobody reads stdout any more.
    """
    header = player.reader.header
    items = player.play(first, end)
    size, lost = (header.width, header.height), 0
    with LiveOutput(size=size, fps=header.fps, quality=quality, with_sound=header.sound is not None) as out:
        sound = SoundWriter(out.sound, player.reader) if out.sound else None
        for item in items:
            if not isinstance(item, Sound):
                out.write(item)
                advance(1)
            elif sound:
                sound.write(item)
        if sound:
            sound.close()
            lost = sound.lost
    return lost
