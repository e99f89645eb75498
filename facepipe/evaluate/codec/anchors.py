"""The anchors: classical codecs at several qualities, sizes and frame rates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from facepipe.errors import EncoderError
from facepipe.evaluate.codec.clips import FPS, SIZE_PIXELS, CodecClip, Frames
from facepipe.evaluate.codec.coding import Coded, timed
from facepipe.media.elementary import STREAM_CODECS, decode_stream, encode_stream, missing_encoder, packet_bytes
from facepipe.media.ffmpeg import ffmpeg_version, find_ffmpeg

SMALL_PIXELS = 128
# From few bits to many; the first is the coarsest that the encoder takes.
QUALITIES = {"vvc": (63, 52), "av1": (63, 50), "x265": (51, 39), "x264": (51, 39)}
QUALITIES_AT_HALF_RATE = {"vvc": (63, 52), "av1": (63, 50), "x265": (51, 42), "x264": (51, 42)}
"""At `SMALL_PIXELS` and half the frame rate."""
RIVALS = ("vvc", "av1")
"""The modern ones, which are also coded with only fewer pixels, and with only fewer frames."""
ABOUT = (
    "Anchors: libvvenc preset medium by QP, SVT-AV1 preset 4, x265 slow (info=0) and x264 veryslow by CRF, one key "
    "frame per clip, bits of the elementary stream without a container. At "
    f"{SMALL_PIXELS}x{SMALL_PIXELS} pictures are reduced by area and enlarged again bicubically; at half the frame "
    "rate each frame is shown twice. They are not the configurations of the JVET's test model."
)


@dataclass(frozen=True)
class Anchor:
    """A classical codec at one setting."""

    family: str
    quality: int
    size: int = SIZE_PIXELS
    step: int = 1
    """Every how many frames one is coded; the decoder shows it that often."""

    @property
    def name(self) -> str:
        """A unique name."""
        return f"{self.family}-{self.quality}-{self.size}-{float(FPS / self.step):g}"

    @property
    def about(self) -> str:
        """The setting."""
        scale = "QP" if self.family == "vvc" else "CRF"
        return f"{self.family} {scale} {self.quality}, {self.size}x{self.size}, {float(FPS / self.step):g}/s"

    @property
    def identity(self) -> str:
        """What the result depends on."""
        codec = STREAM_CODECS[self.family]
        return f"{self.name} {codec.encoder} {dict(codec.options(self.quality))} ffmpeg {ffmpeg_version(find_ffmpeg())}"

    def code(self, clip: CodecClip) -> Coded:
        """Encode and decode a clip."""
        given = resized(clip.frames[:: self.step], self.size, cv2.INTER_AREA)
        stream, encoding = timed(lambda: encode_stream(given, self.family, self.quality, FPS / self.step))
        decoded, decoding = timed(lambda: decode_stream(stream, self.family, (self.size, self.size)))
        if len(decoded) != len(given):
            raise EncoderError(
                f"{self.about}: {len(given)} frames became {len(decoded)}; set FACEPIPE_FFMPEG to another"
            )
        frames = np.repeat(resized(decoded, SIZE_PIXELS, cv2.INTER_CUBIC), self.step, axis=0)[: len(clip.frames)]
        return Coded(len(stream), packet_bytes(stream, self.family)[0], frames, encoding, decoding)


def anchors() -> list[Anchor]:
    """Return all anchors: each codec at its qualities, in full and with fewer pixels and frames."""
    found = []
    for family, qualities in QUALITIES.items():
        found += [Anchor(family, quality) for quality in qualities]
        found += [Anchor(family, quality, SMALL_PIXELS, 2) for quality in QUALITIES_AT_HALF_RATE[family]]
        if family in RIVALS:
            found += [Anchor(family, qualities[0], SIZE_PIXELS, 2), Anchor(family, qualities[0], SMALL_PIXELS)]
    return found


def usable_anchors(report_line: Callable[[str], None]) -> list[Anchor]:
    """Return the anchors whose encoders this ffmpeg has; report the others."""
    missing = {family: encoder for family in QUALITIES if (encoder := missing_encoder(family))}
    for family, encoder in missing.items():
        report_line(
            f"{family} is left out: this ffmpeg has no {encoder}; `pip install imageio-ffmpeg` brings one with it"
        )
    return [anchor for anchor in anchors() if anchor.family not in missing]


def resized(frames: Frames, size: int, interpolation: int) -> Frames:
    """Return (T, S, S, 3) frames at another width and height."""
    if frames.shape[1] == size:
        return frames
    return np.stack([np.asarray(cv2.resize(frame, (size, size), interpolation=interpolation)) for frame in frames])
