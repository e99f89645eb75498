"""The request of `facepipe audio`: a portrait speaks the words of a voice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from facepipe.requests.backgrounds import video_suffix
from facepipe.requests.declaration import HEARD, PORTRAYED, SEEN, argument, option
from facepipe.requests.groups import (
    RESULT,
    Face,
    Length,
    Limits,
    Overwrite,
    PasteBack,
    PoseFace,
    Rendering,
    Sheet,
    Signing,
    SoundTrack,
)
from facepipe.requests.pictures import SourcePictures
from facepipe.requests.request import PORTRAIT, Prepared, Request, names
from facepipe.requests.resolution import fps_of, options_for, sampling_of, settings_for
from facepipe.requests.speech import SpeechOptions

if TYPE_CHECKING:
    from facepipe.engine import Job
    from facepipe.settings import Settings


@dataclass(frozen=True, kw_only=True)
class AudioRequest(
    Request,
    Rendering,
    Length,
    SoundTrack,
    PasteBack,
    Sheet,
    Face,
    PoseFace,
    SourcePictures,
    SpeechOptions,
    Signing,
    Limits,
    Overwrite,
):
    """Animate the face in SOURCE with generated motion for the speech in SOUND.

    The result is a video with SOUND. With --samples, each take is a file NAME-1.mp4, NAME-2.mp4 and so on.
    """

    command: ClassVar[str] = "audio"
    panel: ClassVar[str] = RESULT

    source: Path = argument(PORTRAIT, accepts=PORTRAYED)
    sound: Path = argument("The speech: a sound file, or a video with sound.", accepts=HEARD)
    out: Path | None = option("Result file (default: SOURCE--SOUND.mp4).", default=None, short="-o", in_rows=False)
    samples: int = option(
        "Number of takes, each with different motion.", default=1, minimum=1, maximum=100, in_rows=False
    )
    pose_from: Path | None = option(
        "Video or motion file that gives the head motion.", default=None, reads=True, accepts=(*SEEN, "motion")
    )
    report: Path | None = option("Also write a PNG with plots of sound, mouth and pose, and frames.", default=None)

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file."""
        from facepipe.pipeline.audio import TakeOptions, audio, prepare, take_of
        from facepipe.pipeline.dependencies import of_audio
        from facepipe.pipeline.naming import free_path, told

        speech = TakeOptions(sampling_of(self), self.samples, fps_of(self.fps), self.pose_from, self.report)
        suffix = video_suffix(settings_for(self, settings))
        usual = f"{self.source.stem}--{self.sound.stem}{suffix}"
        out = self.out or free_path(
            self.command, [self.source, self.sound], suffix, first=lambda out: take_of(out, 0, self.samples)
        )
        options = options_for(self, settings, out)
        beside = [path for path in (self.sheet, self.report) if path and self.samples == 1]

        def make(job: Job) -> list[Path]:
            if not self.out:
                told(job, out, Path(usual))
            return audio(job, prepare(job, self.source, self.sound, out, options, speech))

        identity = {"command": self.command, **names(source=self.source, sound=self.sound, out=out)}
        return Prepared(options, identity, of_audio(options, reports=self.report is not None), make, (out, *beside))
