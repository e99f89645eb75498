"""The request of `facepipe reenact` and `facepipe plan`: a portrait moves like a driver."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from facepipe.requests.backgrounds import video_suffix
from facepipe.requests.declaration import PORTRAYED, SEEN, argument, option
from facepipe.requests.groups import (
    RESULT,
    DriverFace,
    Face,
    Grid,
    Length,
    Limits,
    NoFace,
    Overwrite,
    PasteBack,
    Preset,
    Rendering,
    Sheet,
    Signing,
    Smoothing,
    SoundTrack,
    Transfer,
)
from facepipe.requests.pictures import SourcePictures
from facepipe.requests.request import PORTRAIT, Prepared, Request, names
from facepipe.requests.resolution import options_for, settings_for

if TYPE_CHECKING:
    from facepipe.engine import Job
    from facepipe.settings import Settings


@dataclass(frozen=True, kw_only=True)
class ReenactRequest(
    Request,
    Rendering,
    Length,
    SoundTrack,
    Grid,
    PasteBack,
    Sheet,
    Face,
    DriverFace,
    SourcePictures,
    NoFace,
    Transfer,
    Smoothing,
    Preset,
    Signing,
    Limits,
    Overwrite,
):
    """Animate the face in SOURCE with the motion of DRIVER.

    The result is a video with the sound of DRIVER, or a picture if -o names one. If DRIVER is a picture, the result has
    its pose and expression.
    """

    command: ClassVar[str] = "reenact"
    panel: ClassVar[str] = RESULT

    source: Path = argument(PORTRAIT, accepts=PORTRAYED)
    driver: Path = argument(
        "The driver: a video, a picture, a motion file (.npz), or a take (.csv).", accepts=(*SEEN, "motion")
    )
    out: Path | None = option(
        "Result file (default: SOURCE--DRIVER.mp4, or .png if DRIVER is a picture; .webm if transparent).",
        default=None,
        short="-o",
        in_rows=False,
    )

    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file but the preset."""
        from facepipe.motion.presets import load_preset
        from facepipe.motion.sliders import Edit
        from facepipe.pipeline.dependencies import of_reenactment
        from facepipe.pipeline.naming import told
        from facepipe.pipeline.reenact import is_picture, prepare, reenact

        out = self.out or default_out(self.source, self.driver, video_suffix(settings_for(self, settings)))
        options = options_for(self, settings, out, edit=load_preset(self.preset) if self.preset else Edit())

        def make(job: Job) -> list[Path]:
            if not self.out:
                told(job, out, Path(f"{self.source.stem}--{self.driver.stem}{out.suffix}"))
            reenact(job, prepare(job, self.source, self.driver, out, options))
            return [out, *([options.sheet] if options.sheet else [])]

        identity = {"command": self.command, **names(source=self.source, driver=self.driver, out=out)}
        files = (out, *([options.sheet] if options.sheet else []))
        return Prepared(options, identity, of_reenactment(options, still=is_picture(out)), make, files)


def default_out(source: Path, driver: Path, video_suffix: str = ".mp4") -> Path:
    """Return the default result, SOURCE--DRIVER in the current folder: .png for a picture as driver, else a video."""
    from facepipe.media.files import kind_of
    from facepipe.pipeline.naming import free_path

    still = driver.is_file() and kind_of(driver) == "image"
    return free_path("reenact", [source, driver], ".png" if still else video_suffix)
