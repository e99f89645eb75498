"""The request of `facepipe mux`: videos are joined, and given sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from facepipe.errors import UsageError
from facepipe.requests.declaration import argument, option
from facepipe.requests.groups import Fit, Limits, Provenance, Quality
from facepipe.requests.request import Prepared, Request, names
from facepipe.requests.resolution import options_for

if TYPE_CHECKING:
    from facepipe.engine import Job
    from facepipe.settings import Settings


@dataclass(frozen=True, kw_only=True)
class MuxRequest(Request, Fit, Quality, Limits, Provenance):
    """Join videos without encoding them again, and give them sound."""

    command: ClassVar[str] = "mux"

    segments: tuple[Path, ...] = argument("Videos of one size, rate and codec, in order; or a folder.")
    out: Path = option("The result (.mp4).", short="-o", in_rows=False)
    sound: Path | None = option("Sound or video file whose sound is used.", default=None, reads=True)
    overwrite: bool = option("Replace a result that facepipe did not write.", default=False)

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file."""
        from facepipe.pipeline.dependencies import of_mux
        from facepipe.pipeline.items import find_items, is_medium
        from facepipe.pipeline.steps import Steps

        if self.out.suffix.lower() != ".mp4":
            raise UsageError(f"the result of mux is an mp4, but -o says {self.out}; end it in .mp4")
        options = options_for(self, settings)

        def make(job: Job) -> list[Path]:
            items = [item for path in self.segments for item in find_items([path], Path(), is_medium, kinds="videos")]
            Steps(job, options, {}).mux([item.path for item in items], self.sound, self.out)
            return [self.out]

        return Prepared(options, {"command": self.command, **names(out=self.out)}, of_mux(options), make)
