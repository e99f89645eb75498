"""Facepipe's own codec, by the commands `facepipe encode` and `facepipe decode`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepipe import __version__
from facepipe.codec import Frame, Framing, Key, Reader, TokenTable
from facepipe.codec.stream import FRAMING_BYTES
from facepipe.codec.tokens import TokenCodec
from facepipe.coding.models import KINDS, is_available, open_table
from facepipe.errors import ToolError
from facepipe.evaluate.codec.clips import QUALITY, CodecClip
from facepipe.evaluate.codec.coding import Coded, Effort, timed
from facepipe.face.cropping import SquareCrop, sample
from facepipe.media.decode import decode_frames
from facepipe.weights import find, registered

BITRATES = (3.0, 5.0, 8.0)
"""Values of `--bitrate` in kbit/s."""
TAIL_CHARACTERS = 400
NO_FRAMES, NO_EFFORT = np.zeros((0, 0, 0, 3), np.uint8), Effort(0.0, 0.0)


@dataclass(frozen=True)
class OwnCoder:
    """The codec of one kind of tokens at one bit rate."""

    family: str
    """The kind of tokens."""
    bitrate: float

    @property
    def name(self) -> str:
        """A unique name."""
        return f"{self.family}-{self.bitrate:g}"

    @property
    def about(self) -> str:
        """The setting."""
        return f"facepipe {self.family}, --bitrate {self.bitrate:g}"

    @property
    def identity(self) -> str:
        """What the result depends on."""
        digests = [find(name).sha256 for name in KINDS[self.family].weights if name in registered()]
        return f"{self.about} {__version__} {digests}"

    def code(self, clip: CodecClip) -> Coded:
        """Run both commands, each with an empty work folder, so that nothing is taken from an earlier run."""
        with tempfile.TemporaryDirectory(prefix="facepipe-") as folder:
            stream, video = Path(folder) / "coded.fpv", Path(folder) / "decoded.mp4"
            flags = ["--tokens", self.family, "--bitrate", f"{self.bitrate:g}", "--no-sound"]
            _, encoding = timed(lambda: _run("encode", clip.path, stream, *flags))
            _, decoding = timed(lambda: _run("decode", stream, video, "--quality", str(QUALITY)))
            framing = _framing_of(stream)
            frames = np.stack([in_picture(frame, framing) for frame in decode_frames(video)])
            parts = opened(stream, _table(self.family))
            return replace(parts, frames=frames, encoding=encoding, decoding=decoding)


def opened(path: Path, table: TokenTable) -> Coded:
    """Return what a stream consists of, without frames and times."""
    key_frames, key_bytes, token_bytes, numbers = 0, 0, 0, []
    with path.open("rb") as file:
        reader = Reader(file)
        codec = TokenCodec(table, reader.header.scale)
        reference = None
        for item in reader:
            if isinstance(item, Key):
                key_frames += 1
                key_bytes += len(item.still) + len(item.reference) + (FRAMING_BYTES if item.framing else 0)
                reference = codec.read_reference(item.reference)
            elif isinstance(item, Frame) and item.packet and reference is not None:
                token_bytes += len(item.packet)
                numbers.append(codec.numbers(item.packet, reference))
    return Coded(
        stream_bytes=path.stat().st_size,
        key_bytes=key_bytes,
        frames=NO_FRAMES,
        encoding=NO_EFFORT,
        decoding=NO_EFFORT,
        tokens=np.array(numbers, np.int64),
        token_bytes=token_bytes,
        scale=reader.header.scale,
        key_frames=key_frames,
    )


def _framing_of(path: Path) -> Framing | None:
    """Return the framing of the first key frame, which all frames of a clip share."""
    with path.open("rb") as file:
        return next((item.framing for item in Reader(file) if isinstance(item, Key)), None)


def in_picture(frame: NDArray[np.uint8], framing: Framing | None) -> NDArray[np.uint8]:
    """Return a decoded (S, S, 3) frame as the square picture that was encoded, in which it shows the framed square.

    Pixels of the picture beside the square repeat its border.
    """
    if framing is None or framing.side == framing.picture_width:
        return frame
    size, ratio = framing.picture_width, len(frame) / framing.side
    middle = (size - 1) / 2
    left, top = ((middle - center) * ratio + (len(frame) - 1) / 2 for center in (framing.center_x, framing.center_y))
    return sample(frame, SquareCrop(left, top, size * ratio), size)


def own_coders() -> list[OwnCoder]:
    """Return the codec of every kind of tokens whose weights are registered, at its bit rates."""
    return [OwnCoder(name, bitrate) for name, kind in KINDS.items() if is_available(kind) for bitrate in BITRATES]


def _table(kind: str) -> TokenTable:
    return open_table(KINDS[kind], {name: find(name).path for name in KINDS[kind].weights if name in registered()})


def _run(command: str, given: Path, made: Path, *flags: str) -> None:
    """Run a command of facepipe. Raises ToolError if it fails."""
    work = ("--work", str(made.parent / "work" / command))
    arguments = [sys.executable, "-m", "facepipe", command, str(given), "-o", str(made), *flags, *work, "--quiet"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        message = done.stderr.strip()
        raise ToolError(f"facepipe {command} failed: {message[-TAIL_CHARACTERS:]}", detail=message)
