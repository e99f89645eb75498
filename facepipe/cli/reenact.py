"""`facepipe reenact`: one portrait moves as a driver does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facepipe.cli import arguments as a
from facepipe.cli.guard import Verbose
from facepipe.cli.jobs import options_of, run_job, tell_result

Source = Annotated[Path, typer.Argument(help="The portrait: a picture, or a video one frame of which is taken.")]
Driver = Annotated[Path, typer.Argument(help="What moves it: a video, a picture, or a motion file (.npz).")]
Motion = Annotated[
    str | None, typer.Option("--motion", help="relative (change since the reference frame) or absolute.")
]
Strength = Annotated[float | None, typer.Option("--strength", help="Factor on the motion.", min=0, max=3)]
Only = Annotated[str | None, typer.Option("--only", help="Take only this of the motion: expression or pose (or all).")]
Scale = Annotated[str | None, typer.Option("--scale", help="Size and place of the head: source, adapt or driver.")]
Reference = Annotated[
    str | None, typer.Option("--reference", help="Reference frame of relative motion: best, first, or a number.")
]


def reenact(
    source: Source,
    driver: Driver,
    out: a.Out = None,
    size: a.Size = None,
    quality: a.Quality = None,
    codec: a.Codec = None,
    fit: a.Fit = None,
    grid: a.Grid = False,
    paste_back: a.PasteBack = False,
    sheet: a.Sheet = None,
    renderer: a.Renderer = None,
    face: a.Face = None,
    driver_face: a.DriverFace = None,
    no_face: a.NoFace = None,
    source_frame: a.SourceFrame = "best",
    smoothing: a.Smoothing = None,
    motion: Motion = None,
    strength: Strength = None,
    only: Only = None,
    scale: Scale = None,
    reference: Reference = None,
    max_pixels: a.MaxPixels = None,
    max_duration: a.MaxDuration = None,
    overwrite: a.Overwrite = False,
    force: a.Force = None,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    work: a.Work = None,
    _verbose: Verbose = False,
) -> None:
    """Move the face in SOURCE the way DRIVER moves."""
    from facepipe.pipeline.reenact import prepare, reenact

    flags = {
        "output.size_pixels": size,
        "output.quality": quality,
        "output.codec": codec,
        "output.fit": fit,
        "render.renderer": renderer,
        "face.face": face,
        "face.driver_face": driver_face,
        "face.no_face": no_face,
        "motion.smoothing": smoothing,
        "motion.motion": motion,
        "motion.strength": strength,
        "motion.only": only,
        "motion.scale": scale,
        "motion.reference": reference,
        "media.max_pixels": max_pixels,
        "media.max_duration_seconds": max_duration,
        "work.folder": str(work) if work else None,
    }
    options, folder = options_of(
        flags, grid=grid, paste_back=paste_back, source_frame=source_frame, overwrite=overwrite, sheet=sheet
    )
    out = out or default_out(source, driver)
    identity = {
        "command": "reenact",
        "source": str(source.absolute()),
        "driver": str(driver.absolute()),
        "out": str(out.absolute()),
    }
    run_job(
        identity,
        folder,
        lambda job: (reenact(job, prepare(job, source, driver, out, options)), None)[1],
        force=force,
        dry_run=dry_run,
        as_json=as_json,
        quiet=quiet,
    )
    tell_result(out, as_json=as_json, dry_run=dry_run)


def default_out(source: Path, driver: Path) -> Path:
    """Name the result after both, in the current folder; a picture that drives gives a picture."""
    from facepipe.media.files import kind_of

    still = driver.is_file() and kind_of(driver) == "image"
    return Path(f"{source.stem}--{driver.stem}{'.png' if still else '.mp4'}")
