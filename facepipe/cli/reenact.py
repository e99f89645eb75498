"""`facepipe reenact` and `facepipe plan`: one portrait moves as a driver does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facepipe.cli import arguments as a
from facepipe.cli.guard import Verbose
from facepipe.cli.jobs import Running, options_of, run_job, tell_results

if TYPE_CHECKING:
    from facepipe.engine import Job

Source = Annotated[
    Path, typer.Argument(help="The portrait: a picture, or a video one frame of which is taken.", readable=False)
]
Driver = Annotated[
    Path, typer.Argument(help="What moves it: a video, a picture, or a motion file (.npz).", readable=False)
]
SHAPING = (*a.RENDERING, "fit", *a.FACES, *a.MOTIONS, *a.LIMITS, *a.PROVENANCE)


@a.accepting(*SHAPING)
def reenact(
    source: Source,
    driver: Driver,
    given: a.Given,
    out: a.Out = None,
    grid: a.Grid = False,
    paste_back: a.PasteBack = False,
    sheet: a.Sheet = None,
    preset: a.Preset = None,
    source_frame: a.SourceFrame = "best",
    overwrite: a.Overwrite = False,
    force: a.Force = None,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Move the face in SOURCE the way DRIVER moves.

    The result is a video with DRIVER's sound, or a picture where -o names one. A picture as DRIVER lends its pose and
    expression as they stand.
    """
    shown = {"grid": grid, "paste_back": paste_back, "sheet": sheet, "source_frame": source_frame}
    run(source, driver, out, given, preset, Running(force, dry_run, as_json, quiet), {**shown, "overwrite": overwrite})


@a.accepting(*SHAPING)
def plan(
    source: Source,
    driver: Driver,
    given: a.Given,
    out: a.Out = None,
    grid: a.Grid = False,
    paste_back: a.PasteBack = False,
    sheet: a.Sheet = None,
    preset: a.Preset = None,
    source_frame: a.SourceFrame = "best",
    overwrite: a.Overwrite = False,
    force: a.Force = None,
    as_json: a.AsJson = False,
    _verbose: Verbose = False,
) -> None:
    """Tell what `reenact` would do with the same words, and why, how many frames and how much disk; make nothing."""
    shown = {"grid": grid, "paste_back": paste_back, "sheet": sheet, "source_frame": source_frame}
    running = Running(force, dry_run=True, as_json=as_json)
    run(source, driver, out, given, preset, running, {**shown, "overwrite": overwrite})


def run(
    source: Path,
    driver: Path,
    out: Path | None,
    given: a.Given,
    preset: Path | None,
    running: Running,
    others: dict[str, Any],
) -> None:
    """Run or plan a reenactment."""
    from facepipe.motion.presets import load_preset
    from facepipe.motion.sliders import Edit
    from facepipe.pipeline.dependencies import of_reenactment
    from facepipe.pipeline.reenact import is_picture, prepare
    from facepipe.pipeline.reenact import reenact as make

    options, work = options_of(given, **others, edit=load_preset(preset) if preset else Edit())
    out = out or default_out(source, driver)
    names = {"source": str(source.absolute()), "driver": str(driver.absolute()), "out": str(out.absolute())}

    def body(job: Job) -> None:
        make(job, prepare(job, source, driver, out, options))

    uses = of_reenactment(options, still=is_picture(out))
    run_job({"command": "reenact", **names}, work, body, running, uses)
    tell_results([out, *([options.sheet] if options.sheet else [])], running)


def default_out(source: Path, driver: Path) -> Path:
    """Name the result after both, in the current folder; a picture that drives gives a picture."""
    from facepipe.media.files import kind_of

    still = driver.is_file() and kind_of(driver) == "image"
    return Path(f"{source.stem}--{driver.stem}{'.png' if still else '.mp4'}")
