"""Joining coded segments and sound to one stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from facepipe.codec import Frame, Framing, Header, Key, Reader, SoundFormat, Writer
from facepipe.media.ogg import HERTZ, read_packets
from facepipe.media.opus import OpusFormat

if TYPE_CHECKING:
    from facepipe.coding.run import CodedRun


def sound_format(opus: OpusFormat) -> SoundFormat:
    """Return the header's description of Opus packets."""
    return SoundFormat("opus", HERTZ, opus.channels, opus.packet_samples, opus.skip_samples, opus.head)


def opus_packets(path: Path) -> Iterator[bytes]:
    """Yield the packets of sound of an Ogg Opus file."""
    with path.open("rb") as stream:
        yield from islice(read_packets(stream), 2, None)


class Interleaver:
    """Writes packets of sound between frames, each before the frame that is shown when it is heard."""

    def __init__(self, writer: Writer, packets: Iterable[bytes | None]) -> None:
        """Take the packets in order; None stands for one that is late, which is asked for again."""
        self.writer, self._packets = writer, iter(packets)

    def until(self, frame: int, *, waits: bool = False) -> None:
        """Write the packets that begin up to the time of a frame. Late ones follow later, or are waited for."""
        sound = self.writer.header.sound
        if sound is None:
            return
        wanted = frame / self.writer.header.fps * sound.sample_rate + sound.skip_samples
        while self.writer.sound_count * sound.packet_samples <= wanted:
            packet = next(self._packets, b"")
            if packet:
                self.writer.sound(packet)
            elif packet == b"" or not waits:
                return


def write_run(writer: Writer, run: CodedRun, framing: Framing | None, interleaver: Interleaver | None = None) -> None:
    """Write a run: its key frame, and the packets of its frames with the sound between them."""
    if interleaver:
        interleaver.until(writer.frame_count)
    writer.key(run.still, run.reference, framing)
    for packet in run.packets:
        if interleaver:
            interleaver.until(writer.frame_count)
        if packet is None:
            writer.skip()
        else:
            writer.frame(packet)


def join(segments: Iterable[Path], header: Header, sound: Path | None, out: BinaryIO) -> Writer:
    """Write one stream of the frames of several, with the sound of an Ogg Opus file up to the last frame.

    One record is in memory at a time. `header` is that of the result.
    """
    writer = Writer(out, header)
    interleaver = Interleaver(writer, opus_packets(sound) if sound else ())
    for segment in segments:
        with segment.open("rb") as stream:
            for item in Reader(stream):
                if isinstance(item, Key):
                    interleaver.until(writer.frame_count)
                    writer.key(item.still, item.reference, item.framing)
                elif isinstance(item, Frame):
                    interleaver.until(writer.frame_count)
                    _write_frame(writer, item)
    interleaver.until(writer.frame_count)
    writer.finish()
    return writer


def _write_frame(writer: Writer, frame: Frame) -> None:
    if frame.packet:
        writer.frame(frame.packet)
    else:
        writer.skip()
