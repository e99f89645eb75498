"""Video encoding. ffmpeg runs as a child process fed by a thread; the same frames always give the same bytes."""

import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import ffmpeg as graph
import numpy as np

from facepipe.engine.remark import Remark
from facepipe.errors import DiskError, EncoderError, FacepipeError, ToolError, UsageError
from facepipe.media import ffmpeg
from facepipe.media.files import DISK_IS_FULL, check_output, draft_name, publish, write_failure

DEFAULT_QUALITY = 75
_AHEAD_BYTES = 32 << 20
_AHEAD_FRAMES = 16
_LOOK_UP_SECONDS = 0.5
_SECONDS_BETWEEN_KEYS = 4
# Fixed, as the bytes may depend on it. More than two gain little at typical face sizes.
_THREADS = 2
WEBM, CODEC_OF_WEBM = ".webm", "vp9"
"""The suffix of the only container whose videos can have an alpha channel, and the codec in it."""


@dataclass(frozen=True)
class Codec:
    """The settings of one encoder. GOPs are closed, so that segments can be concatenated."""

    encoder: str
    worst_crf: int
    """Constant rate factor at quality 0."""
    best_crf: int
    """Constant rate factor at quality 100."""
    options: Mapping[str, Any] = field(default_factory=dict)

    def crf(self, quality: int) -> int:
        """Return the rate factor for a quality of 0-100."""
        return round(self.worst_crf + (self.best_crf - self.worst_crf) * quality / 100)


# Measured at 256x256 and 512x512: "veryfast" gives half the bytes of "superfast" at nearly the same speed, and two
# B-frames save another third; "faster" halves the speed.
CODECS: Mapping[str, Codec] = {
    "h264": Codec(
        "libx264",
        46,
        8,
        {
            "preset": "veryfast",
            "bf": 2,
            "tag:v": "avc1",
            "profile:v": "high",
            "x264-params": "cpu-independent=1",  # the same bytes on every processor
        },
    ),
    "h265": Codec(
        "libx265",
        48,
        10,
        {
            "preset": "superfast",
            "tag:v": "hvc1",  # required by Apple's players
            # x265 writes its options and the kind of processor into the stream unless info is 0.
            "x265-params": f"log-level=error:pools={_THREADS}:frame-threads={_THREADS}:open-gop=0:bframes=2:info=0",
        },
    ),
    "vp9": Codec(
        "libvpx-vp9",
        60,
        4,
        {"b:v": 0, "deadline": "realtime", "cpu-used": 6, "row-mt": 1, "lag-in-frames": 0, "auto-alt-ref": 0},
    ),
}


def check_codec(name: str) -> Codec:
    """Return a codec by name. Raises UsageError if it is unknown, ToolError if this ffmpeg cannot encode it."""
    if name not in CODECS:
        raise UsageError(f"got codec {name!r}, expected one of {', '.join(CODECS)}")
    present = ffmpeg.encoders(ffmpeg.find_ffmpeg())
    codec = CODECS[name]
    if codec.encoder not in present:
        usable = [other for other, entry in CODECS.items() if entry.encoder in present]
        raise ToolError(
            f"this ffmpeg has no {codec.encoder}, which {name} needs; it can encode {', '.join(usable) or 'nothing'}; "
            "choose one with --codec, or install a full ffmpeg"
        )
    return codec


class VideoWriter:
    """Writes frames to an mp4 or, by its suffix, a WebM file, which appears under its name complete or not at all.

    The file is yuv420p, tagged bt709, an mp4 faststart. With `alpha`, frames are RGBA with straight alpha, and the file
    is a WebM of VP9 in yuva420p. The same frames and settings give the same bytes on every processor of a kind. An odd
    width or height is made even by repeating the last column or row.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: tuple[int, int],
        fps: Fraction,
        codec: str = "h264",
        quality: int = DEFAULT_QUALITY,
        metadata: Mapping[str, str] | None = None,
        alpha: bool = False,
    ) -> None:
        """Start the encoder for frames of `size` (width, height) in pixels.

        Raises UsageError for a quality outside 0-100 or an unknown codec, ToolError if ffmpeg or its encoder is
        missing, DiskError if the folder cannot be written to.
        """
        if not 0 <= quality <= 100:
            raise UsageError(f"got quality {quality}, expected 0 (smallest file) to 100 (best picture)")
        if fps <= 0 or min(size) < 1:
            raise ValueError(f"got {size} at {fps} frames/s, expected positive numbers")
        if alpha and (codec, path.suffix) != (CODEC_OF_WEBM, WEBM):
            raise ValueError(f"got {codec} in {path.name}, expected {CODEC_OF_WEBM} in {WEBM}, which can have alpha")
        check_output(path)
        self._path, self._draft, self._size = path, draft_name(path), size
        self._channels = 4 if alpha else 3
        command = _encode_command(self._draft, size, fps, check_codec(codec), quality, metadata or {}, alpha=alpha)
        self._child = ffmpeg.Child(command, frames_in=True)
        self._frames: queue.Queue[np.ndarray | None] = queue.Queue(
            maxsize=max(2, min(_AHEAD_FRAMES, _AHEAD_BYTES // (size[0] * size[1] * self._channels)))
        )
        self._broken = threading.Event()
        self._done = False
        self._feeder = threading.Thread(target=self._feed, name="frame-writer", daemon=True)
        self._feeder.start()
        self.frame_count = 0

    def _feed(self) -> None:
        while (frame := self._next()) is not None:
            if self._broken.is_set():
                continue
            try:
                rest = frame.data.cast("B")
                while rest:
                    rest = rest[self._child.stdin.write(rest) :]
            except (OSError, ValueError):
                # Keep taking frames, so that `write` does not block; it raises the error next time.
                self._broken.set()

    def _next(self) -> np.ndarray | None:
        while True:
            try:
                return self._frames.get(timeout=_LOOK_UP_SECONDS)
            except queue.Empty:
                # Ctrl-C during `put` can lose its notification, and the closing None with it.
                if self._done:
                    return None

    def write(self, frame: np.ndarray) -> None:
        """Append a copy of a frame, (height, width, 3 or 4) uint8. Raises EncoderError if the encoder has ended."""
        width, height = self._size
        if frame.dtype != np.uint8 or frame.shape != (height, width, self._channels):
            expected = (height, width, self._channels)
            raise ValueError(f"got a frame of {frame.dtype} {frame.shape}, expected uint8 {expected}")
        if self._broken.is_set():
            self._fail()
        even = (
            np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge") if width % 2 or height % 2 else None
        )
        self._frames.put(np.array(frame) if even is None else np.ascontiguousarray(even))
        self.frame_count += 1

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """A remark if the size is made even."""
        width, height = self._size
        repeated = " and ".join(name for name, length in (("column", width), ("row", height)) if length % 2)
        if not repeated:
            return ()
        sizes = f"pictures of {width}x{height} become {width + width % 2}x{height + height % 2}"
        what = f"the last {repeated} {'are' if ' ' in repeated else 'is'} repeated"
        return (Remark("size-padded", f"{sizes}, because a video needs even sizes: {what}"),)

    def close(self) -> None:
        """Finish the file and rename it to its final name. On EncoderError or DiskError no file is left."""
        if self._done:
            return
        if self.frame_count == 0:
            self.abort()
            raise EncoderError(f"{self._path}: no frame was written; check the input")
        self._frames.put(None)
        self._feeder.join()
        self._child.stdin.close()
        if self._child.wait() != 0 or self._broken.is_set():
            self._fail()
        self._done = True
        try:
            publish(self._draft, self._path)
        except FileNotFoundError as error:
            raise EncoderError(
                f"{self._path}: ffmpeg reported success but wrote no file; repair it, or set FACEPIPE_FFMPEG to another"
            ) from error
        except OSError as error:
            self._draft.unlink(missing_ok=True)
            raise write_failure(self._path, error) from error

    def abort(self) -> None:
        """Stop the encoder and remove its output. Does nothing after `close`."""
        if self._done:
            return
        self._done = True
        self._broken.set()
        self._child.kill()
        self._frames.put(None)
        self._feeder.join()
        self._child.wait()
        self._draft.unlink(missing_ok=True)

    def _fail(self) -> None:
        self.abort()
        raise encoding_failure(self._path, self._child.wait(), self._child)

    def __enter__(self) -> "VideoWriter":
        """Return the writer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the writer, or abort after an error."""
        try:
            if kind is None:
                self.close()
        finally:
            # Does nothing after `close`, unless that was interrupted.
            self.abort()


def encoding_failure(path: Path, code: int, child: ffmpeg.Child) -> FacepipeError:
    """Return the error for an ffmpeg that failed to write `path`: DiskError if the disk is full, else EncoderError."""
    if "No space left on device" in child.messages or "Disk quota exceeded" in child.messages:
        return DiskError(f"{path}: {DISK_IS_FULL}", detail=child.tail)
    ended = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return EncoderError(
        f"{path}: could not be written, because ffmpeg {ended}; run again, and if it fails again, see its messages "
        "with -v",
        detail=child.tail,
    )


def _encode_command(
    draft: Path,
    size: tuple[int, int],
    fps: Fraction,
    codec: Codec,
    quality: int,
    metadata: Mapping[str, str],
    *,
    alpha: bool,
) -> list[str]:
    width, height = (value + value % 2 for value in size)
    frames = graph.input(
        "pipe:0", format="rawvideo", pix_fmt="rgba" if alpha else "rgb24", video_size=(width, height),
        framerate=str(fps), protocol_whitelist="file,pipe",
    )  # fmt: skip
    steps = (
        "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_inp,"
        f"format={'yuva420p' if alpha else 'yuv420p'},"
        "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
    )
    options: dict[str, Any] = {
        "vf": steps,
        "c:v": codec.encoder,
        "crf": codec.crf(quality),
        "g": max(round(fps * _SECONDS_BETWEEN_KEYS), 1),
        "flags:v": "+bitexact+cgop",
        "threads": _THREADS,
        "color_primaries": "bt709",
        "color_trc": "bt709",
        "colorspace": "bt709",
        "color_range": "tv",
        **container_options(draft, metadata, alpha=alpha),
        **codec.options,
    }
    return ffmpeg.arguments(graph.output(frames, ffmpeg.file_url(draft), **options), reads_stdin=True)


def container_options(path: Path, metadata: Mapping[str, str], *, alpha: bool = False) -> dict[str, Any]:
    """Return the options for a WebM, by its suffix, or a faststart mp4, without dates and versions of ffmpeg.

    Its bytes are therefore reproducible. `alpha` marks the pictures of a WebM as having an alpha channel.
    """
    options: dict[str, Any] = {"fflags": "+bitexact", "map_metadata": -1}
    if path.suffix == WEBM:
        # Stream copies lose the mark together with the other metadata, and players then ignore the alpha channel.
        options |= {"format": "webm", **({"metadata:s:v:0": "alpha_mode=1"} if alpha else {})}
    else:
        options |= {"format": "mp4", "movflags": "+faststart+use_metadata_tags"}
    # The number only makes the keys of the mapping unique.
    tags = {f"metadata:g:{n}": f"{key}={value}" for n, (key, value) in enumerate(sorted(metadata.items()))}
    return options | tags
