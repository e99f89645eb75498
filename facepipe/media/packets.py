"""List of the packets of a stream, made without decoding unless their times are wrong."""

from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import ffmpeg as graph

from facepipe.media import ffmpeg
from facepipe.media.header import Header, parse_header
from facepipe.media.limits import NO_LIMITS, MediaLimits

# Packet flags: cut off by the end of the file or damaged; decoded but not displayed (cut off by an edit list).
_CORRUPT, _DISCARDED = 2, 4
_NO_TIME = -(2**62)


@dataclass
class Packets:
    """Packet times of one stream, in ticks of `time_base` seconds from the start of the file."""

    time_base: Fraction = Fraction(0)
    times: "array[int]" = field(default_factory=lambda: array("q"))
    decoding_times: "array[int]" = field(default_factory=lambda: array("q"))
    undisplayed: int = 0
    """Packets without a display time. For them, `times` holds the decoding time."""
    last_time: int = 0
    last_duration: int = 0
    incomplete: bool = False
    """Whether the last packet is incomplete: the file ends within it."""

    messages: str = ""
    """ffmpeg's stderr."""
    tail: str = ""
    """The last lines of `messages`."""
    code: int = 0
    """ffmpeg's exit code."""

    @property
    def end(self) -> int:
        """End time of the last packet, in ticks."""
        return self.last_time + self.last_duration

    def shift(self, seconds: float) -> None:
        """Make all times later."""
        ticks = round(seconds / self.time_base) if self.time_base else 0
        self.times = array("q", (time + ticks for time in self.times)) if ticks else self.times
        self.last_time += ticks

    def read(self, pipe: IO[bytes], max_seconds: float) -> None:
        """Read a framecrc listing, but stop once a packet is later than `max_seconds`."""
        for line in BufferedReader(pipe):  # type: ignore[type-var]
            self._add(line.decode("ascii", "replace"))
            if self.last_time * self.time_base > max_seconds:
                return
        if 0 < self.undisplayed < len(self.times):
            self._use_decoding_times()

    def _use_decoding_times(self) -> None:
        """Take the decoding times of all packets, moved to the first display time.

        Program streams give only some packets a display time. Mixed with decoding times, even times look uneven.
        """
        start = min(self.times)
        shift = start - min(self.decoding_times)
        self.times = array("q", (time + shift for time in self.decoding_times))
        self.last_time = max(self.times)

    def _add(self, line: str) -> None:
        if line.startswith("#"):
            if line.startswith("#tb 0:"):
                self.time_base = Fraction(line[6:].strip())
            return
        fields = [part.strip() for part in line.split(",")]
        flags = next((int(part[2:], 16) for part in fields[6:] if part.startswith("F=0x")), 0)
        self.incomplete = bool(flags & _CORRUPT)
        if flags & _DISCARDED:
            return
        # AVI has no display times; its decoding times are as even.
        decoded, displayed = int(fields[1]), int(fields[2])
        self.undisplayed += displayed <= _NO_TIME
        time = displayed if displayed > _NO_TIME else decoded
        self.times.append(time)
        self.decoding_times.append(decoded)
        if time >= self.last_time:
            self.last_time, self.last_duration = time, int(fields[3])


def list_packets(
    path: Path, stream: Any, limits: MediaLimits = NO_LIMITS, *, decoded: bool = False
) -> tuple[Header | None, Packets]:
    """List the packets of one ffmpeg-python stream of the file `path`. The header is None if ffmpeg cannot open it.

    With `decoded`, the frames of a video stream are decoded and listed instead. Raises InputError as soon as a packet
    is later than the maximum duration of `limits`.
    """
    # framecrc prints a line for each packet.
    how = {"fps_mode": "passthrough", "vf": "crop=2:2"} if decoded else {"codec": "copy"}
    listing = graph.output(stream, "pipe:1", format="framecrc", **how)
    packets = Packets()
    with ffmpeg.Child(ffmpeg.arguments(listing, loglevel="info"), data_out=True) as child:
        packets.read(child.stdout, limits.max_duration_seconds)
        too_long = packets.last_time * packets.time_base > limits.max_duration_seconds
        if too_long:
            child.kill()
        packets.code = child.wait()
    packets.messages, packets.tail = child.messages, child.tail
    header = parse_header(child.messages)
    if too_long:
        declared = header.duration_seconds if header else None
        limits.check_duration(path, max(declared or 0.0, float(packets.last_time * packets.time_base)))
    return header, packets
