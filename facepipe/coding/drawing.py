"""Drawing the frames of a stream while it arrives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facepipe.codec import End, Frame, Header, Key, Lost, Reference, Sound, TokenCodec, TokenTable
from facepipe.coding.portrait import Portrait, PortraitReader
from facepipe.errors import InputError
from facepipe.media.stills_codec import decode_still

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]
# Frames drawn at once, side by side on all cores.
CHUNK_FRAMES = 8
# Lost frames are interpolated over gaps of up to this time, and held over longer ones.
LONGEST_GAP_SECONDS = 1.0
LOST_RULES = ("interpolate", "hold")
GREY = 128


@dataclass
class Losses:
    """What a stream lacked."""

    lost_frames: int = 0
    """Frames whose packet or still is damaged or missing."""
    held_frames: int = 0
    """Lost frames that repeat the frame before them; the others are interpolated."""
    damaged_stills: int = 0
    complete: bool = False
    """Whether the end was read."""
    frame_count: int = 0
    """Frames so far."""


@dataclass
class Drawer:
    """Draws frames of (S, S, 3) uint8 RGB. Tokens are held back until the next packet if frames lie between."""

    header: Header
    portraits: PortraitReader
    table: TokenTable
    lost: str = "interpolate"
    losses: Losses = field(default_factory=Losses)

    def __post_init__(self) -> None:
        self._codec = TokenCodec(self.table, self.header.scale)
        self._portrait: Portrait | None = None
        # The packets of the key frame are only readable with its reference.
        self._reference: Reference | None = None
        self._picture = np.full((self.header.height, self.header.width, 3), GREY, np.uint8)
        self._last: Floats | None = None
        self._ready: list[Floats] = []
        # Frames since the last packet, and whether one of them is lost.
        self._waiting, self._waiting_lost = 0, 0

    def draw(self, items: Iterable[Key | Frame | Sound | Lost | End]) -> Iterator[Picture | Sound]:
        """Yield the frames, and unchanged the packets of sound, in the order of the stream."""
        for item in items:
            if isinstance(item, Sound):
                yield item
            elif isinstance(item, Key):
                yield from self._finish()
                self._open(item)
            elif isinstance(item, Lost):
                self.losses.lost_frames += item.end - item.first
                self._waiting_lost += item.end - item.first
                self._waiting += item.end - item.first
            elif isinstance(item, Frame):
                yield from self._frame(item)
            else:
                self.losses.complete = True
        yield from self._finish()

    def _open(self, key: Key) -> None:
        """Open the portrait of a key frame. A damaged still leaves the frames before it standing."""
        self._portrait = self._last = self._reference = None
        try:
            still = decode_still(key.still, self.header.width)
            self._reference = self._codec.read_reference(key.reference) if key.reference else None
        except InputError:
            self.losses.damaged_stills += 1
            return
        self._picture = still
        if self._reference:
            self._portrait = self.portraits.open(still)

    def _frame(self, frame: Frame) -> Iterator[Picture]:
        if self._portrait is None or self._reference is None:
            self._waiting += 1
            yield from self._stand()
            return
        if not frame.packet:
            self._waiting += 1
            return
        try:
            difference = self._codec.difference(frame.packet, self._reference)
        except InputError:
            self.losses.lost_frames += 1
            self._waiting, self._waiting_lost = self._waiting + 1, self._waiting_lost + 1
            return
        tokens = self._portrait.own + difference
        self._fill(tokens)
        self._ready.append(tokens)
        self._last = tokens
        if len(self._ready) >= CHUNK_FRAMES:
            yield from self._drawn()

    def _fill(self, tokens: Floats) -> None:
        """Add the tokens of the waiting frames, before the frame that has the given ones."""
        before = tokens if self._last is None else self._last
        too_long = self._waiting > LONGEST_GAP_SECONDS * self.header.fps
        if self._waiting_lost and (self.lost == "hold" or too_long):
            self.losses.held_frames += self._waiting_lost
            self._ready += [before] * self._waiting
        else:
            shares = np.arange(1, self._waiting + 1) / (self._waiting + 1)
            self._ready += [before + share * (tokens - before) for share in shares]
        self._waiting = self._waiting_lost = 0

    def _finish(self) -> Iterator[Picture]:
        """Yield all frames before a key frame or the end; waiting ones stand still."""
        yield from self._drawn()
        yield from self._stand()

    def _stand(self) -> Iterator[Picture]:
        self.losses.held_frames += self._waiting_lost
        for _ in range(self._waiting):
            self.losses.frame_count += 1
            yield self._picture
        self._waiting = self._waiting_lost = 0

    def _drawn(self) -> Iterator[Picture]:
        if not self._ready:
            return
        assert self._portrait is not None
        tokens, self._ready = np.stack(self._ready), []
        for start in range(0, len(tokens), CHUNK_FRAMES):
            for picture in self._portrait.draw(tokens[start : start + CHUNK_FRAMES]):
                self._picture = picture
                self.losses.frame_count += 1
                yield picture
