"""The sound of a finished video: copied if browsers play it in its container, else encoded as AAC, in WebM as Opus."""

from __future__ import annotations

import re
import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

import ffmpeg as graph

from facepipe.engine.remark import Remark
from facepipe.errors import InputError, ToolError
from facepipe.media import ffmpeg
from facepipe.media.files import check_input
from facepipe.media.header import SoundStream
from facepipe.media.sound import list_sound, sound_info

BITS_PER_SECOND = 160_000
_SURROUND_BITS_PER_SECOND = 384_000
# Sound to be cut is decoded to this rate, 16 bits, and mono or stereo, which can be cut at any sample.
_CUT_HERTZ = 48_000
_OPUS = "libopus"
_AAC_PROFILES = ("LC", "HE-AAC", "HE-AACv2")
# mp4 does not hold MP3 below this rate.
_LEAST_MP3_HERTZ = 16_000
# Layouts that ffmpeg can mix to the others without losing a channel that carries speech.
_FILM_LAYOUTS = re.compile(r"(3\.0|4\.0|quad|5\.0|5\.1|6\.0|6\.1|7\.0|7\.1)(\([a-z-]+\))?")


@dataclass(frozen=True)
class Soundtrack:
    """The sound of a file from a time on."""

    path: Path
    stream: SoundStream
    start_seconds: float
    seconds: float
    track: int = 1
    """Number of the stream among the sound streams, from 1."""
    changed: str = ""
    """What was done to the sound that prevents copying; empty if nothing."""
    remarks: tuple[Remark, ...] = ()
    lost_seconds: float = 0.0
    """Time before the sound that ffmpeg loses (`SoundInfo`)."""

    def input(self, **options: Any) -> Any:
        """Return the ffmpeg-python stream. `options` are input options."""
        start = {"ss": f"{self.start_seconds:.6f}"} if self.start_seconds else {}
        # ffmpeg loses only what it does not skip.
        if (lost := self.lost_seconds - self.start_seconds) > 0:
            start["itsoffset"] = f"{lost:.6f}"
        return ffmpeg.input_file(self.path, **options, **start)[f"a:{self.track - 1}"]


def probe_soundtrack(path: Path, start_seconds: float, *, track: int | None) -> Soundtrack | None:
    """Return the sound of a file from `start_seconds` on, or None if there is none."""
    check_input(path)
    header, packets = list_sound(path, track=track)
    if header is None:
        raise InputError(f"{path}: has no readable sound; give a video or sound file")
    if not header.sounds or not packets.times:
        return None
    info = sound_info(path, header, packets, track=track)
    if (seconds := info.seconds - start_seconds) <= 0:
        return None
    return Soundtrack(
        path, info.stream, start_seconds, seconds, info.track, remarks=info.remarks, lost_seconds=info.lost_seconds
    )


def plays_in_browsers(stream: SoundStream, *, webm: bool = False) -> bool:
    """Return whether Chromium and Firefox play a sound in an mp4, or in a WebM. Tests check it with Chromium."""
    if webm:
        return stream.codec in ("opus", "vorbis")
    if stream.codec == "aac":
        return stream.profile in _AAC_PROFILES
    if stream.codec == "mp3":
        return stream.hertz >= _LEAST_MP3_HERTZ
    return stream.codec in ("opus", "flac")


def encoding_remarks(sound: Soundtrack, *, webm: bool = False) -> tuple[Remark, ...]:
    """Return what the user should know about encoding a sound. The encoding of plain PCM is not worth a remark."""
    remarks, codec = [], sound.stream.codec or "of an unknown codec"
    target = "Opus" if webm else "AAC"
    if sound.changed or plays_in_browsers(sound.stream, webm=webm):
        text = f"sound ({codec}) is {sound.changed or 'padded with silence'}, and therefore encoded again as {target}"
        remarks.append(Remark("sound-encoded", text))
    elif not codec.startswith("pcm_"):
        reason = "a WebM does not hold" if webm else "not all browsers play in an mp4"
        text = f"sound is {codec}, which {reason}; it is encoded as {target}"
        remarks.append(Remark("sound-encoded", text))
    if "pan=" in _channel_steps(sound.stream.layout):
        text = f"sound has the channels {sound.stream.layout}, which are all mixed to stereo"
        remarks.append(Remark("channels-mixed", text))
    return tuple(remarks)


def encoding_options(sound: Soundtrack, padded_seconds: float | None, *, webm: bool = False) -> dict[str, Any]:
    """Return ffmpeg's options for AAC, or Opus in a WebM, padded with silence up to `padded_seconds`.

    Use `portable` for equal bytes. Raises ToolError if ffmpeg cannot encode Opus.
    """
    if webm and _OPUS not in ffmpeg.encoders(ffmpeg.find_ffmpeg()):
        raise ToolError(
            f"this ffmpeg has no {_OPUS}, which the sound of a .webm needs; install a full ffmpeg, or use a name "
            "ending in .mp4"
        )
    surround = bool(_FILM_LAYOUTS.fullmatch(sound.stream.layout))
    steps = [_channel_steps(sound.stream.layout)]
    steps += [f"apad=whole_dur={padded_seconds:.6f}"] if padded_seconds is not None else []
    codec = _OPUS if webm else "aac"
    options: dict[str, Any] = {"c:a": codec, "b:a": _SURROUND_BITS_PER_SECOND if surround else BITS_PER_SECOND}
    filters = ",".join(filter(None, steps))
    return {**options, "flags:a": "+bitexact", **({"af": filters} if filters else {})}


def _channel_steps(layout: str) -> str:
    """Return the filters to channels that AAC can hold, empty if it holds them."""
    if layout in ("mono", "stereo"):
        return ""
    if _FILM_LAYOUTS.fullmatch(layout):
        return "aformat=channel_layouts=mono|stereo|5.1"
    if count := _channel_count(layout):
        # Nothing is known of their places, or ffmpeg would drop some.
        both = "+".join(f"{count**-0.5:.4f}*c{number}" for number in range(count))
        return f"pan=stereo|c0={both}|c1={both}"
    return "aformat=channel_layouts=mono|stereo|5.1"


def _channel_count(layout: str) -> int:
    """Return the number of channels of a layout such as "16 channels", "2.1" or "9.1.6"; 0 if it is unknown."""
    if found := re.match(r"(\d+) channels", layout):
        return int(found[1])
    return sum(map(int, layout.split("."))) if re.fullmatch(r"\d+(\.\d+)+", layout) else 0


def cut_sound(folder: Path, sound: Soundtrack, spans: Sequence[tuple[int, int]], fps: Fraction) -> Soundtrack | None:
    """Write the sound of half-open ranges of frames to a file; return None if it is empty."""
    path, samples, channels = folder / "cut.wav", 0, 1 if sound.stream.layout == "mono" else 2
    stream = sound.input()
    if (steps := _channel_steps(sound.stream.layout)).startswith("pan="):
        stream = stream.filter("pan", steps.removeprefix("pan="))
    plain = graph.output(stream, "pipe:1", format="s16le", acodec="pcm_s16le", ar=_CUT_HERTZ, ac=channels)
    command = ffmpeg.arguments(plain, portable=True)
    with ffmpeg.Child(command, data_out=True) as child, wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(_CUT_HERTZ)
        place, source = 0, BufferedReader(child.stdout)  # type: ignore[type-var]
        for begin, stop in _in_samples(spans, fps):
            _copy_samples(source, begin - place, None, channels)
            samples += _copy_samples(source, stop - begin, out, channels)
            place = stop
    layout = "mono" if channels == 1 else "stereo"
    stream_facts = SoundStream(sound.stream.codec, sound.stream.profile, _CUT_HERTZ, layout)
    seconds = samples / _CUT_HERTZ
    return Soundtrack(path, stream_facts, 0.0, seconds, changed="cut", remarks=sound.remarks) if samples else None


def _in_samples(spans: Iterable[tuple[int, int]], fps: Fraction) -> list[tuple[int, int]]:
    return [(round(first * _CUT_HERTZ / fps), round(end * _CUT_HERTZ / fps)) for first, end in spans]


def _copy_samples(source: IO[bytes], count: int, out: wave.Wave_write | None, channels: int) -> int:
    """Read up to `count` samples and write them to `out` if it is not None; return the number of samples read."""
    width, done = 2 * channels, 0
    while done < count and (block := source.read(width * min(count - done, _CUT_HERTZ))):
        if out is not None:
            out.writeframesraw(block)
        done += len(block) // width
    return done
