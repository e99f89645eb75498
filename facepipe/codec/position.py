"""The position of a reader in a stream, and the records that can follow there."""

from __future__ import annotations

from facepipe.codec.parsing import Parsed, index_of, key_of, lost_before, lost_sound_before, parse
from facepipe.codec.records import MAX_SKIPPED, Kind
from facepipe.codec.window import Window
from facepipe.codec.writer import END

MAX_GAP = 1 << 16
"""Frames, or packets of sound, that may be missing before a key frame or the end."""
FEW_FRAMES = 8
"""Frames that damage usually costs at most. After more of them, two records must confirm a frame, not one."""
FEW_SOUND = 2
"""Packets of sound that may be missing where a packet of sound is the first record after damage."""
MAX_CONFIRMING = 16
"""Records behind a frame among which those that confirm it are looked for."""


class Position:
    """The numbers of the next frame, key frame and packet of sound.

    Any bytes are a frame or a packet of sound with some number, as their CRC tells. 16 bits alone do not suffice where
    many numbers are possible: after damage, a record counts if the records behind it agree.
    """

    def __init__(self, frame: int, sound: int | None) -> None:
        """Begin before a frame and a packet of sound; None if the latter's number is not known."""
        self.frame = frame
        self.key = 0
        """The key frame that the next frame refers to."""
        self.next_key = 0
        """The lowest possible number of the next key frame."""
        self.sound = sound or 0
        self.knows_sound = sound is not None
        self.unsure_frame = self.unsure_sound = False
        """Whether something was missing since the last frame, and since the last packet of sound."""

    def be_unsure(self) -> None:
        """Expect that frames and sound are missing."""
        self.unsure_frame = self.unsure_sound = True

    def frames_before(self, found: Parsed) -> tuple[int, int] | None:
        """Return how many frames and key frames are missing before a frame; None if it is not genuine."""
        return lost_before(found, self.frame, self.key)

    def sound_before(self, found: Parsed) -> int | None:
        """Return how many packets are missing before a packet of sound; None if it is not genuine."""
        return lost_sound_before(found, self.sound)

    def is_next(self, found: Parsed) -> bool:
        """Return whether a record is the expected one."""
        if found.kind is None:
            return self.frames_before(found) == (0, 0)
        if found.kind == Kind.SOUND:
            return self.sound_before(found) == 0
        return self._is_possible(found)

    def is_behind(self, found: Parsed) -> bool:
        """Return whether a record follows the damaged record of one frame."""
        if found.kind is None:
            lost = self.frames_before(found)
            # The damage may have hidden how many frames were skipped before it.
            return lost is not None and lost[1] == 0 and 1 <= lost[0] <= 1 + MAX_SKIPPED
        return self.is_next(found)

    def is_near(self, found: Parsed) -> bool:
        """Return whether a record right behind another one is genuine, although something before that is missing."""
        if found.kind is None and self.unsure_frame:
            lost = self.frames_before(found)
            return lost is not None and lost[0] <= FEW_FRAMES and lost[1] == 0
        return found.kind == Kind.SOUND and self.unsure_sound and self.sound_before(found) is not None

    def is_plausible(self, found: Parsed, window: Window, behind: int) -> bool:
        """Return whether a record is genuine wherever it was found. The records behind it begin at `behind`."""
        if found.kind is None:
            lost = self.frames_before(found)
            if lost is None:
                return False
            frame = self.frame + lost[0] + found.skipped + 1
            witnesses = 1 if lost[0] <= FEW_FRAMES and not lost[1] else 2
            return self._is_confirmed(frame, self.key + lost[1], window, behind, witnesses)
        if found.kind == Kind.SOUND:
            lost_sound, after = self.sound_before(found), parse(window, behind)
            is_few = lost_sound is not None and lost_sound <= FEW_SOUND
            return is_few and after is not None and self._can_follow(after)
        return self._is_possible(found)

    def _is_confirmed(self, frame: int, key: int, window: Window, behind: int, witnesses: int) -> bool:
        """Return whether that many frames that follow, or a key frame or the end, have the expected number."""
        for _ in range(MAX_CONFIRMING):
            after = parse(window, behind)
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
            behind += after.size
        return False

    def _can_follow(self, found: Parsed) -> bool:
        """Return whether a record is possible after damage."""
        if found.kind is None:
            return self.frames_before(found) is not None
        if found.kind == Kind.SOUND:
            return self.sound_before(found) is not None
        return self._is_possible(found)

    def _is_possible(self, found: Parsed) -> bool:
        """Return whether a KEY, INDEX or END record, whose CRC has 32 bits, is possible here."""
        if found.kind == Kind.KEY:
            key = key_of(found.payload, 0)
            if key is None or key.number < self.next_key or not 0 <= key.frame - self.frame <= MAX_GAP:
                return False
            return not self.knows_sound or key.sound_number - self.sound <= MAX_GAP
        if found.kind == Kind.END:
            return len(found.payload) == END.size and 0 <= END.unpack(found.payload)[0] - self.frame <= MAX_GAP
        return index_of(found.payload) is not None
