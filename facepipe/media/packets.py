"""The packets of a stream, listed without decoding them."""

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

_DISCARDED = 4  # packet flag: decoded, never shown (what an edit list cuts off)
_NO_TIME = -(2**62)


@dataclass
class Packets:
    """Times of the packets of one stream, in ticks of `time_base` seconds from the start of the file."""

    time_base: Fraction = Fraction(0)
    times: "array[int]" = field(default_factory=lambda: array("q"))
    last_time: int = 0
    last_duration: int = 0

    messages: str = ""
    """What ffmpeg said meanwhile."""
    tail: str = ""
    """The last lines of that."""
    code: int = 0
    """Its exit code."""

    @property
    def end(self) -> int:
        """When the last packet ends, in ticks."""
        return self.last_time + self.last_duration

    def read(self, pipe: IO[bytes], longest_seconds: float) -> None:
        """Read a framecrc listing to its end, or until it is too long, whatever its header promised."""
        for line in BufferedReader(pipe):  # type: ignore[type-var]
            self._add(line.decode("ascii", "replace"))
            if self.last_time * self.time_base > longest_seconds:
                return

    def _add(self, line: str) -> None:
        if line.startswith("#"):
            if line.startswith("#tb 0:"):
                self.time_base = Fraction(line[6:].strip())
            return
        fields = [part.strip() for part in line.split(",")]
        flags = next((int(part[2:], 16) for part in fields[6:] if part.startswith("F=0x")), 0)
        if flags & _DISCARDED:
            return
        # AVI leaves the time of display out; the time of decoding is even as well.
        decoded, shown = int(fields[1]), int(fields[2])
        time = shown if shown > _NO_TIME else decoded
        self.times.append(time)
        if time >= self.last_time:
            self.last_time, self.last_duration = time, int(fields[3])


def list_packets(path: Path, stream: Any, limits: MediaLimits = NO_LIMITS) -> tuple[Header | None, Packets]:
    """List the packets of one ffmpeg-python stream of the file `path`; the header is None if it cannot be opened.

    Raises InputError as soon as the times go beyond the longest duration of `limits`.
    """
    # framecrc prints a line for each packet.
    listing = graph.output(stream, "pipe:1", codec="copy", format="framecrc")
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
        promised = header.duration_seconds if header else None
        limits.check_duration(path, max(promised or 0.0, float(packets.last_time * packets.time_base)))
    return header, packets
