"""Drawing the frames of a stream while it arrives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from facepipe.codec import End, Frame, Header, Key, Lost, Reference, Sound, TokenCodec, TokenTable
from facepipe.codec.restoration import LOOK_AHEAD_FRAMES, restored
from facepipe.coding.portrait import Portrait, PortraitReader
from facepipe.errors import InputError
from facepipe.media.stills_codec import decode_still

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]
# Frames drawn at once, side by side on all cores.
CHUNK_FRAMES = 8
Item = Key | Frame | Sound | Lost | End
LOST_RULES = ("interpolate", "hold")
GREY = 128


@dataclass
class Losses:
    """What a stream lacked."""

    lost_frames: int = 0
    """Frames whose packet or still is damaged or missing."""
    held_frames: int = 0
    """Lost frames that repeat the frame before them; the others are interpolated over gaps of up to 25 frames."""
    damaged_stills: int = 0
    complete: bool = False
    """Whether the end was read."""
    frame_count: int = 0
    """Frames so far."""


@dataclass
class Drawer:
    """Draws frames of (S, S, 3) uint8 RGB. A frame waits for the few that its interpolation needs."""

    header: Header
    portraits: PortraitReader
    table: TokenTable
    lost: str = "interpolate"
    """Lost frames: interpolate, or hold."""
    losses: Losses = field(default_factory=Losses)

    def __post_init__(self) -> None:
        self._codec = TokenCodec(self.table, self.header.scale)
        self._portrait: Portrait | None = None
        # Packets are only readable with the reference of their key frame.
        self._reference: Reference | None = None
        self._picture = np.full((self.header.height, self.header.width, 3), GREY, np.uint8)
        self._key: Key | None = None
        self._sounds: list[Sound] = []

    def draw(self, items: Iterable[Item]) -> Iterator[Picture | Sound]:
        """Yield the frames, and unchanged the packets of sound, in the order of the stream."""
        source = iter(items)
        while True:
            for picture in self._run(source):
                self._picture = picture
                self.losses.frame_count += 1
                yield from self._heard()
                yield picture
            yield from self._heard()
            if self._key is None:
                return
            self._open(self._key)

    def _heard(self) -> list[Sound]:
        sounds, self._sounds = self._sounds, []
        return sounds

    def _open(self, key: Key) -> None:
        """Open the portrait of a key frame. Behind a damaged still, the picture before it stands."""
        self._key = self._portrait = self._reference = None
        try:
            still = decode_still(key.still, self.header.width)
            reference = self._codec.read_reference(key.reference) if key.reference else None
        except InputError:
            self.losses.damaged_stills += 1
            return
        self._picture = still
        if reference and (portrait := self.portraits.open(still)):
            self._portrait, self._reference = portrait, reference

    def _run(self, source: Iterator[Item]) -> Iterator[Picture]:
        """Yield the frames up to the next key frame, which is then in `_key`, or to the end."""
        portrait, rows = self._portrait, self._rows(source)
        if portrait is None:
            for _ in rows:
                yield self._picture
            return
        tokens = restored(rows, self.table.size)
        while chunk := [portrait.own + one for _, one in islice(tokens, CHUNK_FRAMES)]:
            yield from portrait.draw(np.stack(chunk))

    def _rows(self, source: Iterator[Item]) -> Iterator[tuple[int, Floats | None]]:
        """Yield the number of each frame with its tokens less those of the still; None if they are interpolated."""
        last: Floats | None = None
        for item in source:
            if isinstance(item, Frame):
                known = self._difference(item)
                last = last if known is None else known
                yield item.frame, known
            elif isinstance(item, Lost):
                self.losses.lost_frames += item.end - item.first
                # Over long gaps the interpolation would begin late, with a jump.
                held = self.lost == "hold" or self._portrait is None or item.end - item.first > LOOK_AHEAD_FRAMES
                self.losses.held_frames += held * (item.end - item.first)
                for frame in range(item.first, item.end):
                    yield frame, last if held else None
            elif isinstance(item, Sound):
                self._sounds.append(item)
            elif isinstance(item, Key):
                self._key = item
                return
            else:
                self.losses.complete = True

    def _difference(self, frame: Frame) -> Floats | None:
        if not frame.packet or self._reference is None:
            return None
        try:
            return self._codec.difference(frame.packet, self._reference)
        except InputError:
            self.losses.lost_frames += 1
            return None
