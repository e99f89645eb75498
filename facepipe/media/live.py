"""Video as it arrives on stdin, and video that is written to stdout while it is made."""

from __future__ import annotations

import os
import queue
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import ffmpeg as graph
import numpy as np
from numpy.typing import NDArray

from facepipe.errors import InputError
from facepipe.media import ffmpeg
from facepipe.media.encode import CODECS, encoding_failure
from facepipe.media.limits import MediaLimits
from facepipe.media.ogg import read_packets
from facepipe.media.opus import opus_options
from facepipe.media.transparency import ACCURATE

Picture = NDArray[np.uint8]
CONTAINER = "matroska"
"""The container that is written to a pipe: players read it while it arrives, and it holds every codec."""
_RATE = re.compile(r"^Output #0,.*?Video: ppm.*? ([\d.]+) fps", re.MULTILINE | re.DOTALL)
_SOUND = re.compile(r"^Output #1,", re.MULTILINE)
# ffmpeg prints two digits of rates such as 30000/1001.
_NTSC = {23.98: Fraction(24000, 1001), 29.97: Fraction(30000, 1001), 59.94: Fraction(60000, 1001)}
_LOOK_UP_SECONDS, _PATIENCE_SECONDS = 0.02, 1.0
_AHEAD_FRAMES = 16


class LiveInput:
    """The frames and the sound of a video on stdin. ffmpeg reads it once; nothing is repeated or kept."""

    def __init__(self, limits: MediaLimits, *, sound_kilobits_per_second: float | None) -> None:
        """Start ffmpeg. The sound, as Opus, grows in a temporary file; None leaves it out. Raises InputError."""
        self._folder = tempfile.TemporaryDirectory(prefix="facepipe-")
        self._sound = Path(self._folder.name) / "sound.ogg"
        source = ffmpeg.input_stdin(max_pixels=limits.max_pixels)
        steps = f"scale={ACCURATE},format=gbrp,format=rgb24"
        outputs = [graph.output(source["V:0"], "pipe:1", format="image2pipe", vcodec="ppm", vf=steps, fps_mode="cfr")]
        if sound_kilobits_per_second:
            options = {**opus_options(sound_kilobits_per_second), "format": "ogg", "page_duration": 1}
            options |= {"flush_packets": 1, "af": "aresample=48000:async=1:first_pts=0", "map": "0:a:0?"}
            outputs.append(graph.output(source, ffmpeg.file_url(self._sound), **options))
        command = ffmpeg.arguments(graph.merge_outputs(*outputs), loglevel="info", reads_stdin=True)
        self._child = ffmpeg.Child(command, passes_stdin=True, data_out=True)
        self._reader = os.fdopen(os.dup(self._child.stdout.fileno()), "rb", buffering=1 << 20)
        self._limits, self.frame_count = limits, 0
        first = self._next()
        if first is None:
            self.close()
            raise InputError(
                "stdin: is not a video that can be read from a pipe (an mp4 with its index at the end cannot); pipe "
                "Matroska, MPEG-TS or fragmented mp4, or give a file",
                detail=self._child.tail,
            )
        self._first: Picture | None = first
        self.fps = self._rate()
        self.has_sound = bool(_SOUND.search(self._child.messages))

    def _rate(self) -> Fraction:
        found = _RATE.search(self._child.messages)
        if not found or not float(found[1]):
            raise InputError("stdin: its frame rate is unknown; give a file, or a stream that states its rate")
        printed = float(found[1])
        return _NTSC.get(printed, Fraction(printed).limit_denominator(1001))

    def frames(self) -> Iterator[Picture]:
        """Yield the frames (H, W, 3) uint8 RGB. Raises InputError for a stream that is longer than the limits."""
        frame = self._first
        self._first = None
        while frame is not None:
            self.frame_count += 1
            self._limits.check_duration(Path("stdin"), float(self.frame_count / self.fps))
            yield frame
            frame = self._next()

    def _next(self) -> Picture | None:
        """Read one PPM picture; None at the end."""
        kind, size, _ = (self._reader.readline() for _ in range(3))
        if kind.strip() != b"P6":
            return None
        width, height = (int(number) for number in size.split())
        pixels = self._reader.read(width * height * 3)
        if len(pixels) < width * height * 3:
            return None
        return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)

    def packets(self) -> Iterator[bytes | None]:
        """Yield the Opus packets, the two headers first; None whenever none came for a while.

        ffmpeg may need frames to be read before it goes on with the sound, so waiting for it forever could block both.
        """
        found: queue.Queue[bytes | None] = queue.Queue()
        threading.Thread(target=self._find_packets, args=(found,), name="sound-reader", daemon=True).start()
        while True:
            try:
                packet = found.get(timeout=_PATIENCE_SECONDS)
            except queue.Empty:
                yield None
                continue
            if packet is None:
                return
            yield packet

    def _find_packets(self, found: queue.Queue[bytes | None]) -> None:
        with suppress(InputError), _Growing(self._sound, self._is_running) as stream:
            for packet in read_packets(stream):
                found.put(packet)
        found.put(None)

    def _is_running(self) -> bool:
        return self._child.is_running

    def close(self) -> None:
        """End ffmpeg and remove the temporary file."""
        self._child.kill()
        with suppress(OSError):
            self._reader.close()
        self._child.wait()
        self._folder.cleanup()

    def __enter__(self) -> LiveInput:
        """Return the input."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


class _Growing:
    """A file that another process is writing. Reads wait until there is enough, or the process has ended."""

    def __init__(self, path: Path, is_running: Callable[[], bool]) -> None:
        self._is_running = is_running
        while not path.exists() and is_running():
            time.sleep(_LOOK_UP_SECONDS)
        self._file: IO[bytes] | None = path.open("rb") if path.exists() else None

    def read(self, count: int) -> bytes:
        """Return `count` bytes, or fewer at the end."""
        parts = b""
        while self._file and len(parts) < count:
            running = self._is_running()
            more = self._file.read(count - len(parts))
            parts += more
            if not more and not running:
                break
            if not more:
                time.sleep(_LOOK_UP_SECONDS)
        return parts

    def __enter__(self) -> _Growing:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()


class LiveOutput:
    """Writes frames, and Ogg Opus as it comes, to stdout as Matroska with H.264."""

    def __init__(self, *, size: tuple[int, int], fps: Fraction, quality: int, with_sound: bool) -> None:
        """Start ffmpeg for frames of `size` (width, height)."""
        self._frames: queue.Queue[Picture | None] = queue.Queue(_AHEAD_FRAMES)
        self._broken = threading.Event()
        source, target = os.pipe() if with_sound else (-1, -1)
        passes = (source,) if with_sound else ()
        self._child = ffmpeg.Child(
            _command(size, fps, quality, source), frames_in=True, passes_stdout=True, passes=passes
        )
        self.sound: IO[bytes] | None = None
        """Where the Ogg stream is written; None without sound."""
        if with_sound:
            os.close(source)
            self.sound = os.fdopen(target, "wb", buffering=0)
        self._feeder = threading.Thread(target=self._feed, name="frame-writer", daemon=True)
        self._feeder.start()

    def _feed(self) -> None:
        while (frame := self._frames.get()) is not None:
            if self._broken.is_set():
                continue
            try:
                rest = frame.data.cast("B")
                while rest:
                    rest = rest[self._child.stdin.write(rest) :]
            except (OSError, ValueError):
                self._broken.set()

    def write(self, frame: Picture) -> None:
        """Append an (H, W, 3) uint8 RGB frame. Raises BrokenPipeError if nobody reads stdout any more."""
        if self._broken.is_set():
            self._fail()
        self._frames.put(np.ascontiguousarray(frame))

    def close(self) -> None:
        """Finish the stream. Raises as `write`."""
        if self.sound:
            # First, because ffmpeg takes no more frames while it waits for sound.
            with suppress(OSError):
                self.sound.close()
        self._frames.put(None)
        self._feeder.join()
        with suppress(OSError):
            self._child.stdin.close()
        if self._child.wait() != 0 or self._broken.is_set():
            self._fail()

    def _fail(self) -> None:
        code = self._child.wait()
        if "Broken pipe" in self._child.messages:
            raise BrokenPipeError
        raise encoding_failure(Path("stdout"), code, self._child)

    def __enter__(self) -> LiveOutput:
        """Return the output."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the stream, or end ffmpeg after an error."""
        try:
            if kind is None:
                self.close()
        finally:
            self._broken.set()
            self._child.kill()
            with suppress(queue.Full):
                self._frames.put_nowait(None)
            if self.sound:
                with suppress(OSError):
                    self.sound.close()
            self._child.wait()


def _command(size: tuple[int, int], fps: Fraction, quality: int, sound: int) -> list[str]:
    """Return the command that reads sound, if any, from the descriptor `sound`."""
    streams = [
        graph.input("pipe:0", format="rawvideo", pix_fmt="rgb24", video_size=size, framerate=str(fps), probesize=32)
    ]
    codec = CODECS["h264"]
    options: dict[str, Any] = {
        "c:v": codec.encoder,
        "crf": codec.crf(quality),
        "vf": "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd,format=yuv420p",
        "colorspace": "bt709",
        "preset": "veryfast",
        "tune": "zerolatency",
        "g": max(round(fps * 2), 1),
        "format": CONTAINER,
        "flush_packets": 1,
        "cluster_time_limit": 500,
    }
    if sound >= 0:
        streams.append(graph.input(f"pipe:{sound}", format="ogg", probesize=32, analyzeduration=0))
        options["c:a"] = "copy"
    return ffmpeg.arguments(graph.output(*streams, "pipe:1", **options), reads_stdin=True)
