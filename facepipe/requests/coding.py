"""The requests of `facepipe encode` and `facepipe decode`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from facepipe.coding.models import KINDS
from facepipe.errors import UsageError
from facepipe.requests.declaration import argument, from_setting, option
from facepipe.requests.groups import RESULT, Limits, Overwrite, Quality, SoundTrack
from facepipe.requests.request import Prepared, Request, names
from facepipe.requests.resolution import options_for

if TYPE_CHECKING:
    from facepipe.engine import Job
    from facepipe.settings import Settings

PIPE = Path("-")
"""The name of stdin and stdout."""
TOKENS = "; ".join(f"{kind.name} ({kind.about})" for kind in KINDS.values())


@dataclass(frozen=True, kw_only=True)
class EncodeRequest(Request, SoundTrack, Limits, Overwrite):
    """Encode the face in a clip as stills and a few numbers per frame (.fpv), at some kilobits per second."""

    command: ClassVar[str] = "encode"
    panel: ClassVar[str] = RESULT

    clip: Path = argument("The clip; - for stdin.", accepts=("video",))
    out: Path = option("The result (.fpv); - for stdout.", short="-o", in_rows=False)
    bitrate: float = option(
        "Kilobits per second of the pictures, without sound.", default=5.0, minimum=0.5, maximum=1000, span=(2, 20)
    )
    size: int | None = from_setting("output.size_pixels", "Width and height of the pictures in pixels.")
    tokens: str = option(f"Kind of the numbers: {TOKENS}.", default="coefficients")
    key_seconds: float = option("Longest time from key frame to key frame.", default=10.0, minimum=0.5, maximum=30)
    no_sound: bool = option("Leave the sound out.", default=False)
    sound_bitrate: float = option(
        "Kilobits per second of the sound, as Opus.", default=12.0, minimum=6, maximum=510, span=(8, 64)
    )
    copy_sound: bool = option("Copy sound that is Opus already.", default=False)
    open_loop: bool = option(
        "Do not draw the result to correct it while encoding: twice as fast, less like the clip.", default=False
    )
    face: str | None = from_setting("face.face", "Face to use: largest, left, right, or N for the N-th from the left.")
    no_face: str | None = from_setting("face.no_face", "Policy for frames without a face: hold, or fail.")

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file."""
        from facepipe.pipeline.codec import Coding, encode
        from facepipe.pipeline.dependencies import of_encoding

        if self.tokens not in KINDS:
            raise UsageError(f"--tokens is {self.tokens!r}, expected {' or '.join(KINDS)}")
        options = options_for(self, settings)
        coding = Coding(
            tokens=self.tokens,
            kilobits_per_second=self.bitrate,
            key_seconds=self.key_seconds,
            sound=not self.no_sound,
            sound_kilobits_per_second=self.sound_bitrate,
            copy_sound=self.copy_sound,
            corrects=not self.open_loop,
        )

        def make(job: Job) -> list[Path]:
            if PIPE in (self.clip, self.out):
                from facepipe.pipeline import filters

                filters.encode(job, self.clip, self.out, options, coding)
            else:
                encode(job, self.clip, self.out, options, coding)
            return [] if self.out == PIPE else [self.out]

        identity = {"command": self.command, **names(clip=self.clip, out=self.out)}
        return Prepared(options, identity, of_encoding(self.tokens), make, (self.out,))


@dataclass(frozen=True, kw_only=True)
class DecodeRequest(Request, Quality, Limits, Overwrite):
    """Draw the video of a stream (.fpv) that `encode` wrote, with its sound."""

    command: ClassVar[str] = "decode"
    panel: ClassVar[str] = RESULT

    stream: Path = argument("The stream (.fpv); - for stdin.", metavar="STREAM")
    out: Path = option("The result (.mp4 or .webm); - for stdout, as Matroska.", short="-o", in_rows=False)
    codec: str | None = from_setting("output.codec", "Video codec: h264, h265 or vp9.")
    lost: str = option("Frames that are damaged or missing: interpolate or hold.", default="interpolate")
    from_second: float = option("Begin at this second.", default=0.0, minimum=0)
    seconds: float | None = option("Decode so many seconds.", default=None, minimum=0)

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file."""
        from facepipe.pipeline.codec import Playing, decode
        from facepipe.pipeline.dependencies import of_decoding

        if self.lost not in ("interpolate", "hold"):
            raise UsageError(f"--lost is {self.lost!r}, expected interpolate or hold")
        if self.out != PIPE and self.out.suffix.lower() not in (".mp4", ".m4v", ".mov", ".webm"):
            raise UsageError(f"-o is {self.out}; use a name ending in .mp4 or .webm")
        options = options_for(self, settings)
        playing = Playing(self.lost, self.from_second, self.seconds)

        def make(job: Job) -> list[Path]:
            if PIPE in (self.stream, self.out):
                from facepipe.pipeline import filters

                filters.decode(job, self.stream, self.out, options, playing)
            else:
                decode(job, self.stream, self.out, options, playing)
            return [] if self.out == PIPE else [self.out]

        identity = {"command": self.command, **names(stream=self.stream, out=self.out)}
        return Prepared(options, identity, of_decoding(), make, (self.out,))
