"""Sound decoding: any container, codec, rate and number of channels to 16 kHz samples of each channel."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import ffmpeg as graph
import numpy as np
from numpy.typing import NDArray

from facepipe.engine.remark import Remark
from facepipe.errors import EncoderError, InputError
from facepipe.media import ffmpeg
from facepipe.media.files import description_of, kind_of
from facepipe.media.header import Header, SoundStream
from facepipe.media.limits import DEFAULT_LIMITS, NO_LIMITS, MediaLimits
from facepipe.media.packets import Packets, list_packets
from facepipe.media.riff import read_wave_header
from facepipe.media.truncation import is_cut_off

SAMPLE_HERTZ = 16_000
_BLOCK_SAMPLES = 1 << 16
# "stereo" and "5.1(side)", but not "16 channels", which says nothing about them.
_LAYOUT = re.compile(r"[a-z0-9.]+(\([a-z-]+\))?")
_CHANGE = re.compile(rb"(?P<changed>audio parameters changed to)")
_FIRST_TIME = re.compile(r"ashowinfo.*? pts_time:(-?\d[\d.]*)")


@dataclass(frozen=True)
class SoundInfo:
    """A sound stream of a file."""

    path: Path
    codec: str
    seconds: float
    """From the start of the file to the end of the sound."""
    has_pictures: bool
    stream: SoundStream
    track: int = 1
    """Number of the stream among the sound streams, from 1."""
    track_count: int = 1
    chosen: bool = False
    """Whether the user chose the track."""
    cut_off: bool = False
    """Whether the file ends earlier than it states."""
    lost_seconds: float = 0.0
    """Time from the start of the file to that of the sound which ffmpeg loses, so that reading it adds it."""

    def input(self) -> Any:
        """Return the ffmpeg-python stream."""
        lost = {"itsoffset": f"{self.lost_seconds:.6f}"} if self.lost_seconds else {}
        return ffmpeg.input_file(self.path, **lost)[f"a:{self.track - 1}"]

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """A remark for each property that the user should know about."""
        remarks = []
        if self.track_count > 1 and not self.chosen:
            text = f"{self.track_count} sound tracks; track {self.track} is used, as by players (--track chooses)"
            remarks.append(Remark("several-tracks", text))
        if self.cut_off:
            text = f"sound is cut off after {self.seconds:.2f} s: the file ends earlier than it states; copy it again"
            remarks.append(Remark("cut-off-sound", text))
        return tuple(remarks)


def probe_sound(path: Path, limits: MediaLimits = DEFAULT_LIMITS, *, track: int | None = None) -> SoundInfo:
    """Describe the sound of a sound file or video. Its packets are read once or twice and not decoded.

    `track` is the number of the sound stream, from 1; None chooses as players do: the default stream, else the first.
    Raises InputError if there is no sound or no such track, it is damaged, or it is longer than `limits`.
    """
    kind = kind_of(path)
    if kind == "playlist":
        raise InputError(f"{path}: is a playlist, which refers to other files; give the sound file itself")
    if kind == "image":
        raise InputError(f"{path}: is a picture, which has no sound; give a sound file, or a video with sound")
    header, packets = list_sound(path, limits, track=track)
    if header is None or not header.sounds or packets.code != 0 or not packets.times:
        raise InputError(_unusable(path, kind, header, packets), detail=packets.tail)
    info = sound_info(path, header, packets, track=track)
    if info.seconds <= 0:
        raise InputError(f"{path}: its sound has zero duration; record or export it again")
    limits.check_duration(path, info.seconds)
    return info


def list_sound(
    path: Path, limits: MediaLimits = NO_LIMITS, *, track: int | None = None
) -> tuple[Header | None, Packets]:
    """List the packets of a sound stream. The header is None if ffmpeg cannot open the file.

    Raises InputError if the file has sound, but no track of this number.
    """
    number = (track or 1) - 1
    header, packets = list_packets(path, ffmpeg.input_file(path)[f"a:{number}"], limits)
    count = len(header.sounds) if header else 0
    if track and count and track > count:
        tracks = f"{count} sound tracks; give a number from 1 to {count}" if count > 1 else "one sound track"
        raise InputError(f"{path}: --track is {track}, but the file has {tracks}")
    if header and track is None and header.sound_track != number:
        return list_packets(path, ffmpeg.input_file(path)[f"a:{header.sound_track}"], limits)
    return header, packets


def sound_info(path: Path, header: Header, packets: Packets, *, track: int | None = None) -> SoundInfo:
    """Describe a sound stream that `list_sound` listed."""
    number = header.sound_track if track is None else track - 1
    lost_seconds = header.lost_seconds(header.sounds[number])
    return SoundInfo(
        path,
        header.sounds[number].codec,
        float(packets.end * packets.time_base) + lost_seconds,
        header.pictures is not None,
        header.sounds[number],
        number + 1,
        len(header.sounds),
        track is not None,
        is_cut_off(path, header, packets),
        lost_seconds,
    )


def _unusable(path: Path, kind: str, header: Header | None, packets: Packets) -> str:
    """Return the reason why the sound of a file cannot be read."""
    if kind == "unknown" and header is None:
        return f"{path}: is {description_of(path)}, not sound; give a wav, mp3, m4a, flac or ogg file"
    if "moov atom not found" in packets.messages:
        return f"{path}: is truncated: its index (moov) is missing, recording or copying stopped early; copy it again"
    if header is not None and not header.sounds:
        return f"{path}: has no sound; give a sound file, or a video with sound"
    if header is not None and packets.code == 0:
        return f"{path}: has an empty sound stream; record or export it again"
    return f"{path}: is damaged or in a format that ffmpeg cannot read; convert it to wav first"


def decode_sound(
    path: Path, *, info: SoundInfo | None = None, changes: Counter[str] | None = None
) -> Iterator[NDArray[np.float32]]:
    """Yield the sound as blocks (samples, channels) of 16 kHz float32, full scale 1. Gaps in the stream are silence.

    Channels are not mixed, as those in opposite phase would cancel; if they change in the middle, as in broadcasts,
    they are mixed to those of `info`, and the change is counted in `changes`. The first sample is at the start of the
    file, so that sound and video of a file stay in sync. Any processor of a kind gives the same samples. Raises
    EncoderError if no sample can be decoded, and InputError without `info` if there is no sound.
    """
    info = info or probe_sound(path, NO_LIMITS)
    lead = round(_first_seconds(info) * SAMPLE_HERTZ)
    count = 0
    with ffmpeg.Child(_decode_command(info), data_out=True, signs=_CHANGE) as child:
        source = BufferedReader(child.stdout)  # type: ignore[type-var]
        header = read_wave_header(source)
        channels = header.channels if header else 1
        if header:
            yield from _silence(lead, channels)
            source.read(4 * channels * max(-lead, 0))
        while header and (block := source.read(4 * channels * max(_BLOCK_SAMPLES // channels, 1))):
            samples = np.frombuffer(block[: len(block) // (4 * channels) * 4 * channels], "<f4")
            count += len(samples)
            # A damaged stream may decode to NaN or infinity.
            yield np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0).clip(-8, 8).reshape(-1, channels)
        code = child.wait()
    if changes is not None:
        changes.update(child.counts)
    if not count:
        raise EncoderError(
            f"{path}: none of its sound could be decoded (ffmpeg ended with code {code}); convert it to wav first",
            detail=child.tail,
        )


def _silence(count: int, channels: int) -> Iterator[NDArray[np.float32]]:
    """Yield blocks of `count` silent samples."""
    for start in range(0, count, _BLOCK_SAMPLES):
        yield np.zeros((min(_BLOCK_SAMPLES, count - start), channels), np.float32)


def _first_seconds(info: SoundInfo) -> float:
    """Return the time of the first decoded sample from the start of the file.

    The filter aresample could fill up to it, but when channels change, ffmpeg sets up its filters anew, and aresample
    would fill up once more, from the start of the file.
    """
    stream = info.input().filter("ashowinfo")
    first = graph.output(stream, "pipe:1", format="null", **{"frames:a": 1})
    _, messages, _ = ffmpeg.run(ffmpeg.arguments(first, loglevel="info"))
    found = _FIRST_TIME.search(messages)
    return float(found[1]) if found else 0.0


def _decode_command(info: SoundInfo) -> list[str]:
    stream = info.input()
    stream = stream.filter("aresample", SAMPLE_HERTZ, **{"async": 1})
    if _LAYOUT.fullmatch(info.stream.layout):
        # The format of the samples must not change.
        stream = stream.filter("aformat", channel_layouts=info.stream.layout)
    options: dict[str, Any] = {"format": "wav", "acodec": "pcm_f32le", "fflags": "+bitexact", "map_metadata": -1}
    return ffmpeg.arguments(graph.output(stream, "pipe:1", **options), portable=True, loglevel="info")
