"""Playing a stream: frames and sound from a time on, to a file or to a pipe."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from facepipe.codec import KeyPosition, Reader, Sound, read_index
from facepipe.coding.drawing import Drawer
from facepipe.coding.models import KINDS, open_kind
from facepipe.engine.remark import Remark
from facepipe.errors import InputError
from facepipe.media.encode import VideoWriter
from facepipe.media.mux import concat_and_mux
from facepipe.media.ogg import OggWriter, Writable, concealment
from facepipe.media.origin import origin_metadata

Picture = NDArray[np.uint8]


@dataclass
class Player:
    """Frames and sound of a stream from a key frame on."""

    reader: Reader
    drawer: Drawer
    first_frame: int = 0
    """Number of the first frame that is read."""

    @classmethod
    def open(
        cls, stream: BinaryIO, weights: Mapping[str, Path], *, lost: str = "interpolate", at: KeyPosition | None = None
    ) -> Player:
        """Read the header and open the networks."""
        return cls.of(Reader(stream, at), weights, lost=lost, at=at)

    @classmethod
    def of(cls, reader: Reader, weights: Mapping[str, Path], *, lost: str, at: KeyPosition | None) -> Player:
        """Open the networks for a stream whose header was read."""
        portraits, table = open_kind(KINDS[reader.header.tokens], weights)
        return cls(reader, Drawer(reader.header, portraits, table, lost), at.frame if at else 0)

    def play(self, first: int, end: int | None) -> Iterator[Picture | Sound]:
        """Yield the frames from `first` to `end` (exclusive), and the sound from the key frame before `first` on."""
        number = self.first_frame
        for item in self.drawer.draw(self.reader):
            if isinstance(item, Sound):
                yield item
                continue
            if number >= first:
                yield item
            number += 1
            if end is not None and number >= end:
                return


def key_before(stream: BinaryIO, frame: int) -> KeyPosition | None:
    """Return the last key frame up to a frame; None to read from the start. The stream is left at its start."""
    before = [key for key in read_index(stream) if key.frame <= frame] if frame else []
    stream.seek(0)
    return before[-1] if before else None


class SoundWriter:
    """Writes packets of sound to an Ogg file; lost ones are concealed."""

    def __init__(self, stream: Writable, reader: Reader) -> None:
        sound = reader.header.sound
        assert sound is not None
        self.format, self._next, self._reader = sound, -1, reader
        self.start_samples = 0
        """Time of the first packet in the stream."""
        self.lost = 0
        self._writer = OggWriter(stream, sound.configuration)

    def write(self, sound: Sound) -> None:
        """Write a packet, after concealments of those that are missing before it."""
        if self._next < 0:
            self._next, self.start_samples = sound.number, sound.position_samples + self.format.skip_samples
        for _ in range(sound.number - self._next):
            self.lost += 1
            self._writer.packet(concealment(sound.packet), self.format.packet_samples)
        self._writer.packet(sound.packet, self.format.packet_samples)
        self._next = sound.number + 1

    def seconds_before(self, frame: int) -> float:
        """Return the time from the start of the written sound to a frame."""
        start = self.start_samples / self.format.sample_rate
        return max(float(frame / self._reader.header.fps) - start, 0.0)

    @property
    def is_heard(self) -> bool:
        """Whether a packet was written."""
        return self._next >= 0

    def close(self) -> None:
        """Finish the stream."""
        self._writer.close()


def write_video(
    player: Player,
    out: Path,
    *,
    first: int = 0,
    end: int | None = None,
    quality: int,
    codec: str,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[dict[str, Any], list[Remark]]:
    """Draw the frames from `first` to `end` (exclusive) to a video with its sound; return facts and remarks.

    Raises InputError if the stream has none of the frames, or cannot be read.
    """
    header, losses = player.reader.header, player.drawer.losses
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="facepipe-")))
        ogg, silent = folder / "sound.ogg", folder / f"silent{out.suffix}"
        sound = SoundWriter(stack.enter_context(ogg.open("wb")), player.reader) if header.sound else None
        size = (header.width, header.height)
        pictures = _pictures(player.play(first, end), sound)
        if (picture := next(pictures, None)) is None:
            if not losses.complete:
                raise InputError(f"the .fpv stream is cut off before its frame {first}; get it again")
            raise InputError(f"the .fpv stream has no frame {first}; choose an earlier time, or get it again")
        with VideoWriter(silent, size=size, fps=header.fps, codec=codec, quality=quality) as writer:
            for frame in chain([picture], pictures):
                writer.write(frame)
                advance(1)
        if sound:
            sound.close()
        muxed = concat_and_mux(
            [silent],
            out=out,
            sound_from=ogg if sound and sound.is_heard else None,
            sound_start_seconds=sound.seconds_before(first) if sound else 0.0,
            fit="driver",
            codec=codec,
            quality=quality,
            metadata=origin_metadata(),
        )
    facts = {
        "frames": muxed.frame_count,
        "fps": str(header.fps),
        "lost_frames": losses.lost_frames,
        "held_frames": losses.held_frames,
        "complete": losses.complete or end is not None,
        "sound": muxed.sound,
    }
    return facts, [*remarks_on(player, whole=end is None, lost_sound=sound.lost if sound else 0), *muxed.remarks]


def _pictures(items: Iterator[Picture | Sound], sound: SoundWriter | None) -> Iterator[Picture]:
    """Yield the frames, and write the packets of sound between them."""
    for item in items:
        if not isinstance(item, Sound):
            yield item
        elif sound:
            sound.write(item)


def remarks_on(player: Player, *, whole: bool, lost_sound: int) -> list[Remark]:
    """Return what a stream lacked."""
    losses, rule = player.drawer.losses, player.drawer.lost
    remarks = []
    if losses.lost_frames:
        others = losses.lost_frames - losses.held_frames
        text = f"{losses.lost_frames} frames are damaged or missing; {losses.held_frames} repeat the frame before"
        remarks.append(Remark("lost-frames", text + (f", {others} are interpolated" if rule != "hold" else "")))
    if losses.damaged_stills:
        remarks.append(Remark("lost-stills", f"{losses.damaged_stills} key frames cannot be decoded"))
    if lost_sound:
        remarks.append(Remark("lost-sound", f"{lost_sound} packets of sound are damaged or missing"))
    if whole and not losses.complete:
        text = "the stream ends early: it is cut off, or its writer was stopped; what came is drawn"
        remarks.append(Remark("cut-off-stream", text))
    return remarks
