"""Reading a stream, past damage."""

from __future__ import annotations

from collections.abc import Iterator
from os import SEEK_END
from typing import BinaryIO, TypeAlias

from facepipe.codec.header import read_header
from facepipe.codec.parsing import Parsed, index_of, key_of, lost_before, lost_sound_before, parse
from facepipe.codec.records import MAX_SKIPPED, Kind, frame_head
from facepipe.codec.stream import End, Frame, Key, KeyPosition, Lost, Sound
from facepipe.codec.window import Window
from facepipe.codec.writer import END
from facepipe.errors import InputError

Item: TypeAlias = "Key | Frame | Sound | Lost | End"
MAX_DAMAGE_BYTES = 1 << 21
"""Bytes without a record after which a stream is given up. The largest record is smaller."""
MAX_SEARCH_BYTES = 1 << 32
"""Bytes that may be checked on the way through such a stretch, so that hostile lengths cost seconds at most."""
MAX_SOUND_BETWEEN = 16
"""Records behind a frame among which a reader that lost its place looks for frames that confirm it."""
FEW_FRAMES = 8
"""Frames that a damage usually costs at most: then one frame behind confirms, else two."""
MAX_GAP_FRAMES = 1 << 16
"""Frames that may be missing before a key frame or the end; the same limit holds for packets of sound."""


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
        self._frame, self._key = at.frame if at else 0, -1
        self._sound = -1 if at else 0
        # Whether the key frame that the next frames refer to is missing.
        self._orphaned = True

    def __iter__(self) -> Iterator[Item]:
        """Yield the items. Raises InputError if more than 2 MiB in one piece are damaged."""
        while not self.complete and self._window.peek(0, 1):
            found = parse(self._window, 0)
            if found is None or not self._is_next(found):
                found = self._resynchronised()
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

    def _is_next(self, found: Parsed) -> bool:
        """Return whether a record is the expected one."""
        if found.kind is None:
            return lost_before(found, self._frame, max(self._key, 0)) == (0, 0)
        if found.kind == Kind.SOUND:
            return lost_sound_before(found, self._sound) == 0
        return self._is_possible(found)

    def _is_possible(self, found: Parsed) -> bool:
        """Return whether a KEY, INDEX or END record is possible here."""
        if found.kind == Kind.KEY:
            key = key_of(found.payload, 0)
            if key is None or key.number <= self._key or not 0 <= key.frame - self._frame <= MAX_GAP_FRAMES:
                return False
            return self._sound < 0 or 0 <= key.sound_number - self._sound <= MAX_GAP_FRAMES
        if found.kind == Kind.END:
            return len(found.payload) == END.size and (
                0 <= END.unpack(found.payload)[0] - self._frame <= MAX_GAP_FRAMES
            )
        return index_of(found.payload) is not None

    def _resynchronised(self) -> Parsed | None:
        """Move on to the next record that is whole and return it; None at the end of the stream."""
        if head := frame_head(self._window.peek(0, 2)):
            behind = head[1] + head[2] + 2
            if (found := parse(self._window, behind)) and self._is_second(found):
                return self._after_damage(behind, found)
        place, limit = 1, self._window.peeked_bytes + MAX_SEARCH_BYTES
        while self._window.peek(place, 1):
            found = parse(self._window, place)
            if found and self._is_plausible(found, place):
                return self._after_damage(place, found)
            place += 1
            if place > MAX_DAMAGE_BYTES or self._window.peeked_bytes > limit:
                raise InputError(
                    f"the .fpv stream is unreadable from byte {self._window.offset} on: {place} bytes without a "
                    "record. Get the file again."
                )
        self.damaged_bytes += place
        self._window.drop(place)
        return None

    def _after_damage(self, place: int, found: Parsed) -> Parsed:
        self.damaged_bytes += place
        self._window.drop(place)
        return found

    def _is_second(self, found: Parsed) -> bool:
        """Return whether a record follows the damaged record of a single frame."""
        if found.kind is None:
            lost = self._frames_before(found)
            # The damage may have hidden how many frames were skipped before it.
            return lost is not None and lost[1] == 0 and 1 <= lost[0] <= 1 + MAX_SKIPPED
        return self._is_next(found)

    def _is_plausible(self, found: Parsed, place: int) -> bool:
        """Return whether a record after damage is genuine.

        16 bits of CRC alone are not enough, because many numbers are possible: the records behind must agree.
        """
        behind = place + found.size
        if found.kind is None:
            lost = self._frames_before(found)
            if lost is None:
                return False
            frame = self._frame + lost[0] + found.skipped + 1
            witnesses = 1 if lost[0] <= FEW_FRAMES and not lost[1] else 2
            return self._confirms(frame, max(self._key, 0) + lost[1], behind, witnesses)
        if found.kind == Kind.SOUND:
            after = parse(self._window, behind)
            return lost_sound_before(found, max(self._sound, 0)) is not None and bool(after and self._can_follow(after))
        return self._is_possible(found)

    def _confirms(self, frame: int, key: int, place: int, witnesses: int) -> bool:
        """Return whether that many frames that follow, or else a key frame or the end, have the expected number."""
        for _ in range(MAX_SOUND_BETWEEN):
            after = parse(self._window, place)
            if after is None:
                return False
            if after.kind is None:
                if lost_before(after, frame, key) != (0, 0):
                    return False
                witnesses, frame = witnesses - 1, frame + after.skipped + 1
                if not witnesses:
                    return True
            elif after.kind == Kind.KEY:
                found = key_of(after.payload, 0)
                return found is not None and (found.frame, found.number) == (frame, key + 1)
            elif after.kind == Kind.END:
                return len(after.payload) == END.size and END.unpack(after.payload)[0] == frame
            elif not self._can_follow(after):
                return False
            place += after.size
        return False

    def _can_follow(self, found: Parsed) -> bool:
        """Return whether a record is possible after damage."""
        if found.kind is None:
            return self._frames_before(found) is not None
        if found.kind == Kind.SOUND:
            return lost_sound_before(found, max(self._sound, 0)) is not None
        return self._is_possible(found)

    def _frames_before(self, found: Parsed) -> tuple[int, int] | None:
        return lost_before(found, self._frame, max(self._key, 0))

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
            self._key, self._sound, self._orphaned = key.number, key.sound_number, False
            yield key
        elif found.kind == Kind.END:
            frame_count, sound_count, _ = END.unpack(found.payload)
            yield from self._lost_until(frame_count)
            self.complete = True
            yield End(frame_count, sound_count)

    def _frame_items(self, found: Parsed) -> Iterator[Item]:
        lost = self._frames_before(found)
        assert lost, "the seed of a frame was checked before"
        if lost[1]:
            self._orphaned = True
        self._key = max(self._key, 0) + lost[1]
        yield from self._lost_until(self._frame + lost[0])
        for packet in [b""] * found.skipped + [found.payload]:
            yield Lost(self._frame, self._frame + 1) if self._orphaned else Frame(self._frame, packet)
            self._frame += 1

    def _sound_items(self, found: Parsed) -> Iterator[Item]:
        lost = lost_sound_before(found, max(self._sound, 0))
        assert lost is not None, "the seed of a packet of sound was checked before"
        number = max(self._sound, 0) + lost
        self._sound = number + 1
        if sound := self.header.sound:
            yield Sound(number, number * sound.packet_samples - sound.skip_samples, found.payload)

    def _lost_until(self, frame: int) -> Iterator[Lost]:
        if frame > self._frame:
            yield Lost(self._frame, frame)
            self._frame = frame


def read_index(stream: BinaryIO) -> list[KeyPosition]:
    """Return the key frames of a seekable stream from its index; from a scan if it is unfinished or its end is damaged.

    Raises InputError as `Reader` does.
    """
    reader = Reader(stream)
    tail = 1 + 1 + END.size + 4
    size = stream.seek(0, SEEK_END)
    end = parse(_window_at(stream, size - tail), 0) if size > tail else None
    if end and end.kind == Kind.END and len(end.payload) == END.size:
        place = size - tail - END.unpack(end.payload)[2]
        index = parse(_window_at(stream, place), 0) if place > 0 else None
        if index and index.kind == Kind.INDEX and (entries := index_of(index.payload)) is not None:
            return entries
    stream.seek(0)
    reader = Reader(stream)
    return [KeyPosition(item.frame, item.offset) for item in reader if isinstance(item, Key)]


def _window_at(stream: BinaryIO, place: int) -> Window:
    stream.seek(place)
    return Window(stream, place)
