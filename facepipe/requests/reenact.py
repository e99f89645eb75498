"""The request of `facepipe reenact` and `facepipe plan`: one portrait moves as a driver does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from facepipe.requests.declaration import argument, option
from facepipe.requests.groups import (
    DriverFace,
    Face,
    Fit,
    Limits,
    NoFace,
    Provenance,
    Rendering,
    Retargeting,
    Smoothing,
)
from facepipe.requests.request import PORTRAIT, Prepared, Request, names
from facepipe.requests.resolution import options_for

if TYPE_CHECKING:
    from facepipe.engine import Job
    from facepipe.settings import Settings


@dataclass(frozen=True, kw_only=True)
class ReenactRequest(Request, Rendering, Fit, Face, DriverFace, NoFace, Smoothing, Retargeting, Limits, Provenance):
    """Move the face in SOURCE the way DRIVER moves.

    The result is a video with DRIVER's sound, or a picture where -o names one. A picture as DRIVER lends its pose and
    expression as they stand.
    """

    command: ClassVar[str] = "reenact"

    source: Path = argument(PORTRAIT)
    driver: Path = argument("What moves it: a video, a picture, or a motion file (.npz).")
    out: Path | None = option("Where the result goes.", default=None, short="-o", in_rows=False)
    grid: bool = option("Show source | driver | result beside each other.", default=False)
    paste_back: bool = option("Put the result back into the whole source picture.", default=False)
    sheet: Path | None = option("Also write a contact sheet of the result (PNG).", default=None)
    preset: Path | None = option(
        "Sliders from a file that `facepipe edit --save-preset` wrote.", default=None, reads=True
    )
    source_frame: str = option("Which frame of a source video: best, or a number from 0.", default="best")
    overwrite: bool = option("Replace a result that facepipe did not write.", default=False)

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file but the preset."""
        from facepipe.motion.presets import load_preset
        from facepipe.motion.sliders import Edit
        from facepipe.pipeline.dependencies import of_reenactment
        from facepipe.pipeline.reenact import is_picture, prepare, reenact

        options = options_for(self, settings, edit=load_preset(self.preset) if self.preset else Edit())
        out = self.out or default_out(self.source, self.driver)

        def make(job: Job) -> list[Path]:
            reenact(job, prepare(job, self.source, self.driver, out, options))
            return [out, *([options.sheet] if options.sheet else [])]

        identity = {"command": self.command, **names(source=self.source, driver=self.driver, out=out)}
        return Prepared(options, identity, of_reenactment(options, still=is_picture(out)), make)


def default_out(source: Path, driver: Path) -> Path:
    """Return the name of the result after both, in the current folder; a picture that drives gives a picture."""
    from facepipe.media.files import kind_of

    still = driver.is_file() and kind_of(driver) == "image"
    return Path(f"{source.stem}--{driver.stem}{'.png' if still else '.mp4'}")
