"""Sound decoding: any container, codec, rate and number of channels to 16 kHz mono samples."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import ffmpeg as graph
import numpy as np
from numpy.typing import NDArray

from facepipe.errors import EncoderError, InputError
from facepipe.media import ffmpeg
from facepipe.media.files import description_of, kind_of
from facepipe.media.header import Header
from facepipe.media.limits import DEFAULT_LIMITS, MediaLimits
from facepipe.media.packets import Packets, list_packets

SAMPLE_HERTZ = 16_000
_BLOCK_SAMPLES = 1 << 16


@dataclass(frozen=True)
class SoundInfo:
    """The first sound stream of a file."""

    path: Path
    codec: str
    seconds: float
    """From the start of the file to the end of the sound."""
    has_pictures: bool


def probe_sound(path: Path, limits: MediaLimits = DEFAULT_LIMITS) -> SoundInfo:
    """Describe the sound of a sound file or video. Its packets are read once and not decoded.

    Raises InputError if there is no sound, it is damaged, or it is longer than `limits`.
    """
    kind = kind_of(path)
    if kind == "playlist":
        raise InputError(f"{path}: is a playlist, which refers to other files; give the sound file itself")
    if kind == "image":
        raise InputError(f"{path}: is a picture, which has no sound; give a sound file, or a video with sound")
    header, packets = list_packets(path, ffmpeg.input_file(path)["a:0"], limits)
    if header is None or not header.sound_codec or packets.code != 0 or not packets.times:
        raise InputError(_unusable(path, kind, header, packets), detail=packets.tail)
    seconds = float(packets.end * packets.time_base)
    if seconds <= 0:
        raise InputError(f"{path}: its sound has zero duration; record or export it again")
    limits.check_duration(path, seconds)
    return SoundInfo(path, header.sound_codec, seconds, header.pictures is not None)


def _unusable(path: Path, kind: str, header: Header | None, packets: Packets) -> str:
    """Return the reason why the sound of a file cannot be read."""
    if kind == "unknown" and header is None:
        return f"{path}: is {description_of(path)}, not sound; give a wav, mp3, m4a, flac or ogg file"
    if "moov atom not found" in packets.messages:
        return f"{path}: is truncated: its index (moov) is missing, recording or copying stopped early; copy it again"
    if header is not None and not header.sound_codec:
        return f"{path}: has no sound; give a sound file, or a video with sound"
    if header is not None and packets.code == 0:
        return f"{path}: has an empty sound stream; record or export it again"
    return f"{path}: is damaged or in a format that ffmpeg cannot read; convert it to wav first"


def decode_sound(path: Path) -> Iterator[NDArray[np.float32]]:
    """Yield the sound as blocks of 16 kHz mono float32 samples, full scale 1, with gaps in the stream as silence.

    The first sample is at the start of the file, so that sound and video of a file stay in sync. Raises EncoderError if
    no sample can be decoded.
    """
    stream = ffmpeg.input_file(path)["a:0"].filter("aresample", SAMPLE_HERTZ, **{"async": 1, "first_pts": 0})
    plain = graph.output(stream, "pipe:1", format="f32le", acodec="pcm_f32le", ac=1, ar=SAMPLE_HERTZ)
    with ffmpeg.Child(ffmpeg.arguments(plain), data_out=True) as child:
        source, count = BufferedReader(child.stdout), 0  # type: ignore[type-var]
        while block := source.read(4 * _BLOCK_SAMPLES):
            samples = np.frombuffer(block[: len(block) // 4 * 4], "<f4")
            count += len(samples)
            # A damaged stream may decode to NaN or infinity.
            yield np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0).clip(-8, 8)
        code = child.wait()
    if not count:
        raise EncoderError(
            f"{path}: none of its sound could be decoded (ffmpeg ended with code {code}); convert it to wav first",
            detail=child.tail,
        )
