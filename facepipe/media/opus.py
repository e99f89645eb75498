"""Sound as Opus packets: encoding the sound of a file at a low bit rate, or copying its packets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import ffmpeg as graph

from facepipe.errors import InputError, ToolError
from facepipe.media import ffmpeg
from facepipe.media.encode import encoding_failure
from facepipe.media.ogg import read_packets, samples_of
from facepipe.media.sound import SoundInfo

_ENCODER = "libopus"
# Long packets need fewer headers; above, the sound of a packet that is lost is missed.
PACKET_MILLISECONDS = 60
MIN_KILOBITS, MAX_KILOBITS = 6, 510
HEAD_BYTES = 19


@dataclass(frozen=True)
class OpusFormat:
    """What all packets of a stream have in common."""

    head: bytes
    """The packet OpusHead."""
    channels: int
    packet_samples: int
    """Samples of each packet at 48 kHz."""
    skip_samples: int
    """Samples at the beginning that are not heard."""


def check_opus() -> None:
    """Raise ToolError if this ffmpeg cannot encode Opus."""
    if _ENCODER not in ffmpeg.encoders(ffmpeg.find_ffmpeg()):
        raise ToolError(
            f"this ffmpeg has no {_ENCODER}, which the sound of an .fpv needs; install a full ffmpeg, or leave the "
            "sound out with --no-sound"
        )


def encode_opus(sound: SoundInfo, out: Path, *, kilobits_per_second: float) -> None:
    """Write the sound of a file as Ogg Opus, from the start of the file on, mono below 32 kbit/s.

    Raises EncoderError or DiskError.
    """
    stream = sound.input().filter("aresample", 48_000, **{"async": 1, "first_pts": 0})
    _write(stream, out, opus_options(kilobits_per_second))


def copy_opus(sound: SoundInfo, out: Path) -> None:
    """Write the Opus packets of a file to an Ogg file. Raises EncoderError or DiskError."""
    _write(sound.input(), out, {"c:a": "copy"})


def opus_options(kilobits_per_second: float) -> dict[str, Any]:
    """Return ffmpeg's options for speech as Opus."""
    return {
        "c:a": _ENCODER,
        "b:a": round(kilobits_per_second * 1000),
        "ac": 1 if kilobits_per_second < 32 else 2,
        "frame_duration": PACKET_MILLISECONDS,
        "application": "voip" if kilobits_per_second < 32 else "audio",
        "flags:a": "+bitexact",
    }


def _write(stream: Any, out: Path, options: dict[str, Any]) -> None:
    container = {"format": "ogg", "fflags": "+bitexact", "map_metadata": -1, "page_duration": 1}
    command = ffmpeg.arguments(graph.output(stream, ffmpeg.file_url(out), **options, **container), portable=True)
    with ffmpeg.Child(command) as child:
        code = child.wait()
    if code != 0:
        raise encoding_failure(out, code, child)


def format_of(path: Path) -> OpusFormat | None:
    """Return the format of an Ogg Opus file; None if it has no packet, or its packets differ in length.

    All packets are read, because a single longer one would shift those behind it.
    """
    with path.open("rb") as stream:
        packets = read_packets(stream)
        head, _, *first = islice(packets, 3)
        if not first:
            return None
        samples = samples_of(first[0])
        # The last packet may be short.
        later = [samples_of(packet) for packet in packets]
    if not samples or any(other != samples for other in later[:-1]) or (later and later[-1] > samples):
        return None
    if len(head) < HEAD_BYTES or not head.startswith(b"OpusHead"):
        raise InputError(f"{path}: is not an Ogg Opus file")
    return OpusFormat(head, head[9], samples, int.from_bytes(head[10:12], "little"))
