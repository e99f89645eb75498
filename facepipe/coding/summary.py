"""What a stream contains, found without drawing it."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from typing import Any, BinaryIO

from facepipe.codec import End, Frame, Header, Key, Lost, Reader, Sound
from facepipe.codec.records import Kind, record
from facepipe.coding.models import KINDS


@dataclass(frozen=True)
class Summary:
    """Counts and sizes of a stream."""

    header: Header
    frames: int
    key_frames: tuple[int, ...]
    """The frame at which each key frame begins."""
    packets: int
    """Frames that have tokens; the others are interpolated, or stand still."""
    lost_frames: int
    still_bytes: int
    token_bytes: int
    sound_bytes: int
    """With its records."""
    total_bytes: int
    complete: bool

    @property
    def seconds(self) -> float:
        """Duration of the frames."""
        return float(self.frames / self.header.fps)

    def kilobits_per_second(self, count: int) -> float:
        """Return a number of bytes as a rate."""
        return round(count * 8 / 1000 / self.seconds, 3) if self.frames else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return everything with names and units."""
        header, sound = self.header, self.header.sound
        pictures = self.total_bytes - self.sound_bytes
        return {
            "format": "fpv",
            "width": header.width,
            "height": header.height,
            "fps": str(header.fps),
            "frames": self.frames,
            "seconds": round(self.seconds, 3),
            "tokens": header.tokens,
            "scale": header.scale,
            "still_codec": header.still_codec,
            "model": header.model_digest.hex(),
            "key_frames": list(self.key_frames),
            "packets": self.packets,
            "sound": sound.codec if sound else None,
            "bytes": self.total_bytes,
            "still_bytes": self.still_bytes,
            "token_bytes": self.token_bytes,
            "sound_bytes": self.sound_bytes,
            "kilobits_per_second": self.kilobits_per_second(self.total_bytes),
            "kilobits_per_second_of_pictures": self.kilobits_per_second(pictures),
            "kilobits_per_second_without_key_frames": self.kilobits_per_second(pictures - self.still_bytes),
            "lost_frames": self.lost_frames,
            "complete": self.complete,
        }

    def lines(self) -> list[str]:
        """Return the summary for a reader."""
        content, about = self.as_json(), KINDS.get(self.header.tokens)
        lost = f", {self.lost_frames} of them damaged or missing" if self.lost_frames else ""
        tokens = f" ({about.about})" if about else ""
        count = len(self.key_frames)
        keys = f"{count} key frame{'s' * (count != 1)} ({self.header.still_codec}), {self.still_bytes} bytes"
        rate = content["kilobits_per_second_of_pictures"]
        lines = [
            f"{self.header.width}x{self.header.height}, {float(self.header.fps):g} frames/s, {self.frames} frames, "
            f"{self.seconds:.2f} s{lost}",
            f"tokens: {self.header.tokens}{tokens}, scale {self.header.scale}, {self.packets} packets, "
            f"{self.token_bytes} bytes",
            keys,
            f"pictures: {rate} kbit/s, {content['kilobits_per_second_without_key_frames']} without key frames",
        ]
        if self.header.sound:
            sound = self.kilobits_per_second(self.sound_bytes)
            lines.append(f"sound: {self.header.sound.codec}, {sound} kbit/s")
        if not self.complete:
            lines.append("incomplete: the stream is cut off")
        return lines


class _Counted(io.RawIOBase):
    """A byte stream whose bytes are counted as they are read. A pipe has no position."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.count = stream, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self.stream.read(len(buffer))
        buffer[: len(content)] = content
        self.count += len(content)
        return len(content)


def summary_of(stream: BinaryIO) -> Summary:
    """Read a stream to its end. Raises InputError as `Reader`."""
    counted = _Counted(stream)
    reader = Reader(counted)  # type: ignore[arg-type]
    counts: Counter[str] = Counter()
    keys = []
    for item in reader:
        if isinstance(item, Key):
            keys.append(item.frame)
            counts["still"] += len(item.still) + len(item.reference)
        elif isinstance(item, Frame):
            counts["frames"] += 1
            counts["packets"] += bool(item.packet)
            counts["token"] += len(item.packet)
        elif isinstance(item, Sound):
            counts["sound"] += len(record(Kind.SOUND, item.packet))
        elif isinstance(item, Lost):
            counts["frames"] += item.end - item.first
            counts["lost"] += item.end - item.first
        else:
            assert isinstance(item, End)
    return Summary(
        reader.header,
        counts["frames"],
        tuple(keys),
        counts["packets"],
        counts["lost"],
        counts["still"],
        counts["token"],
        counts["sound"],
        counted.count,
        reader.complete,
    )
