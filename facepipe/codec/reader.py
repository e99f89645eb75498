"""Reading a stream, past damage."""

from __future__ import annotations

from collections.abc import Iterator
from os import SEEK_END
from typing import BinaryIO, TypeAlias

from facepipe.codec.header import read_header
from facepipe.codec.parsing import Parsed, index_of, key_of, parse
from facepipe.codec.position import Position
from facepipe.codec.records import Kind, frame_head
from facepipe.codec.stream import End, Frame, Key, KeyPosition, Lost, Sound
from facepipe.codec.window import Window
from facepipe.codec.writer import END
from facepipe.errors import InputError

Item: TypeAlias = "Key | Frame | Sound | Lost | End"
MAX_DAMAGE_BYTES = 1 << 21
"""Bytes without a record after which a stream is given up. The largest record is smaller."""
MAX_SEARCH_BYTES = 1 << 28
"""Bytes that may be checked on the way through such a stretch, so that hostile lengths cost seconds at most."""


class Reader:
    """Reads a stream from its start, or from a key frame, as it arrives; it never seeks back.

    Damage is not an error: frames that cannot be decoded are returned as Lost, each exactly once and in order with the
    others, and reading goes on with the next record that is whole. A stream that is cut off ends without End.
    """

    def __init__(self, stream: BinaryIO, at: KeyPosition | None = None) -> None:
        """Read the header. With `at` the stream is seekable, and reading continues at that key frame.

        Raises InputError for a stream of another format or version, or with a damaged header.
        """
        self.header, size = read_header(stream)
        self.complete = False
        """Whether the end was read."""
        self.damaged_bytes = 0
        """Bytes so far that belong to no record."""
        if at:
            stream.seek(at.offset)
        self._window = Window(stream, at.offset if at else size)
        self._position = Position(at.frame, None) if at else Position(0, 0)
        # Whether the key frame that the next frames refer to is missing.
        self._orphaned = True

    def __iter__(self) -> Iterator[Item]:
        """Yield the items. Raises InputError if more than 2 MiB in one piece are damaged."""
        while not self.complete and self._window.peek(0, 1):
            found = parse(self._window, 0)
            if found is None or not self._position.is_next(found):
                found = self._unexpected(found) or self._resynchronised()
            if found is None:
                return
            yield from self._items(found)
            self._window.drop(found.size)

    def keys_until_damage(self) -> Iterator[Key]:
        """Yield the key frames up to the first damage."""
        for item in self:
            if self.damaged_bytes or isinstance(item, Lost):
                return
            if isinstance(item, Key):
                yield item

    def _unexpected(self, found: Parsed | None) -> Parsed | None:
        """Return the record if it is genuine, although others before it are missing."""
        position = self._position
        if found and (position.is_near(found) or position.is_plausible(found, self._window, found.size)):
            position.be_unsure()
            return found
        return None

    def _resynchronised(self) -> Parsed | None:
        """Move on to the next record that is whole and return it; None at the end of the stream."""
        if head := frame_head(self._window.peek(0, 2)):
            behind = head[1] + head[2] + 2
            if (found := parse(self._window, behind)) and self._position.is_behind(found):
                self._pass_damage(behind)
                return found
        place, limit = 1, self._window.peeked_bytes + MAX_SEARCH_BYTES
        while self._window.peek(place, 1):
            found = parse(self._window, place)
            if found and self._position.is_plausible(found, self._window, place + found.size):
                self._pass_damage(place)
                return found
            place += 1
            if place > MAX_DAMAGE_BYTES or self._window.peeked_bytes > limit:
                raise InputError(
                    f"the .fpv stream is unreadable from byte {self._window.offset} on: {place} bytes without a "
                    "record. Get the file again."
                )
        self._pass_damage(place)
        return None

    def _pass_damage(self, count: int) -> None:
        self._position.be_unsure()
        self.damaged_bytes += count
        self._window.drop(count)

    def _items(self, found: Parsed) -> Iterator[Item]:
        """Yield the items of a record, and before it those that are lost."""
        if found.kind is None:
            yield from self._frame_items(found)
        elif found.kind == Kind.SOUND:
            yield from self._sound_items(found)
        elif found.kind == Kind.KEY:
            key = key_of(found.payload, self._window.offset)
            assert key, "a KEY record was checked before"
            yield from self._lost_until(key.frame)
            self._position = Position(key.frame, key.sound_number)
            self._position.key, self._position.next_key = key.number, key.number + 1
            self._orphaned = False
            yield key
        elif found.kind == Kind.END:
            frame_count, sound_count, _ = END.unpack(found.payload)
            yield from self._lost_until(frame_count)
            self.complete = True
            yield End(frame_count, sound_count)

    def _frame_items(self, found: Parsed) -> Iterator[Item]:
        position = self._position
        lost = position.frames_before(found)
        assert lost, "the number of a frame was checked before"
        self._orphaned |= lost[1] > 0
        position.key += lost[1]
        position.unsure_frame = False
        yield from self._lost_until(position.frame + lost[0])
        for packet in [b""] * found.skipped + [found.payload]:
            frame, position.frame = position.frame, position.frame + 1
            yield Lost(frame, frame + 1) if self._orphaned else Frame(frame, packet)

    def _sound_items(self, found: Parsed) -> Iterator[Item]:
        position = self._position
        lost = position.sound_before(found)
        assert lost is not None, "the number of a packet of sound was checked before"
        number = position.sound + lost
        position.sound, position.unsure_sound = number + 1, False
        if sound := self.header.sound:
            yield Sound(number, number * sound.packet_samples - sound.skip_samples, found.payload)

    def _lost_until(self, frame: int) -> Iterator[Lost]:
        first, self._position.frame = self._position.frame, max(frame, self._position.frame)
        if first < frame:
            yield Lost(first, frame)


def read_index(stream: BinaryIO) -> list[KeyPosition]:
    """Return the key frames of a seekable stream from its index; from a scan if it is unfinished or its end is damaged.

    Raises InputError as `Reader` does.
    """
    stream.seek(0)
    read_header(stream)
    tail = 1 + 1 + END.size + 4
    size = stream.seek(0, SEEK_END)
    end = parse(_window_at(stream, size - tail), 0) if size > tail else None
    if end and end.kind == Kind.END and len(end.payload) == END.size:
        place = size - tail - END.unpack(end.payload)[2]
        index = parse(_window_at(stream, place), 0) if place > 0 else None
        if index and index.kind == Kind.INDEX and (entries := index_of(index.payload)) is not None:
            return entries
    stream.seek(0)
    return [KeyPosition(item.frame, item.offset) for item in Reader(stream) if isinstance(item, Key)]


def _window_at(stream: BinaryIO, place: int) -> Window:
    stream.seek(place)
    return Window(stream, place)
