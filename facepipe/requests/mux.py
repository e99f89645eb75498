"""The request of `facepipe mux`: join videos and add sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from facepipe.errors import UsageError
from facepipe.requests.declaration import HEARD, argument, option
from facepipe.requests.groups import RESULT, Length, Limits, Overwrite, Quality, Signing, SoundTrack
from facepipe.requests.request import Prepared, Request, names
from facepipe.requests.resolution import options_for

if TYPE_CHECKING:
    from facepipe.engine import Job
    from facepipe.settings import Settings


@dataclass(frozen=True, kw_only=True)
class MuxRequest(Request, Length, SoundTrack, Quality, Signing, Limits, Overwrite):
    """Join videos without re-encoding them, and add sound."""

    command: ClassVar[str] = "mux"
    panel: ClassVar[str] = RESULT

    segments: tuple[Path, ...] = argument(
        "Videos of the same size, frame rate and codec, in order; or a folder.", metavar="VIDEO", accepts=("video",)
    )
    out: Path = option("The result (.mp4, or .webm for VP9).", short="-o", in_rows=False)
    sound: Path | None = option("Sound file, or video with sound, to add.", default=None, reads=True, accepts=HEARD)

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file."""
        from facepipe.pipeline.dependencies import of_mux
        from facepipe.pipeline.items import find_items, is_medium
        from facepipe.pipeline.steps import Steps

        if self.out.suffix.lower() not in (".mp4", ".webm"):
            raise UsageError(
                f"-o is {self.out}, but the result of mux is an mp4 or a WebM; use a name ending in .mp4 or .webm"
            )
        options = options_for(self, settings)

        def make(job: Job) -> list[Path]:
            items = [item for path in self.segments for item in find_items([path], Path(), is_medium, kinds="videos")]
            Steps(job, options, {}).mux([item.path for item in items], self.sound, self.out)
            return [self.out]

        identity = {"command": self.command, **names(out=self.out)}
        return Prepared(options, identity, of_mux(options), make, (self.out,))
