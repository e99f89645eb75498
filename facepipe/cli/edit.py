"""`facepipe edit`: one portrait moves as sliders say."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facepipe.cli import arguments as a
from facepipe.cli.guard import Verbose
from facepipe.cli.jobs import Running, options_of, run_job, tell_results
from facepipe.errors import UsageError
from facepipe.motion.sliders import Draw, Edit, neutral, read_bounds, unit_of

if TYPE_CHECKING:
    from facepipe.weights import WeightFile

FRAMES, FRAMES_PER_DRAW, FPS = 75, 25, "25"
FACES = ("face", "driver_face", "landmarker")
Source = Annotated[
    Path | None, typer.Argument(help="The portrait: a picture, or a video one frame of which is taken.", readable=False)
]
Sweep = Annotated[
    list[str] | None,
    typer.Option("--sweep", help="A slider that moves, in a video: NAME=FROM:TO. May be repeated.", metavar="SWEEP"),
]
Save = Annotated[
    Path | None, typer.Option("--save-preset", help="Write the sliders and sweeps to this file (JSON).", readable=False)
]
FromImage = Annotated[
    Path | None,
    typer.Option(
        "--from-image",
        help="Take expression and pose of the face in this picture, or with --only one of the two.",
        metavar="FACE",
        readable=False,
    ),
]
Random = Annotated[
    int | None,
    typer.Option(
        "--random", help="Draw so many expressions and poses: a picture each, or a video of all.", min=1, max=999
    ),
]
Seed = Annotated[
    int | None, typer.Option("--seed", help="The same seed, the same draws (default: 0).", min=0, max=2**63 - 1)
]
Frames = Annotated[
    int | None, typer.Option("--frames", help=f"Length of a video (default: {FRAMES}).", min=2, max=100_000)
]
Fps = Annotated[str | None, typer.Option("--fps", help=f"Frames per second of a video (default: {FPS}).")]
ListThem = Annotated[bool, typer.Option("--list", help="Print every slider with its bounds, and end.")]


@a.accepting(
    *a.RENDERING, "face", "driver_face", "landmarker", "only", "strength", *a.LIMITS, *a.PROVENANCE, sliders=True
)
def edit(
    given: a.Given,
    source: Source = None,
    out: a.Out = None,
    sweep: Sweep = None,
    frames: Frames = None,
    fps: Fps = None,
    preset: a.Preset = None,
    save_preset: Save = None,
    from_image: FromImage = None,
    random: Random = None,
    seed: Seed = None,
    list_sliders: ListThem = False,
    grid: a.Grid = False,
    paste_back: a.PasteBack = False,
    sheet: a.Sheet = None,
    source_frame: a.SourceFrame = "best",
    overwrite: a.Overwrite = False,
    force: a.Force = None,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Pose and shape the face in SOURCE by sliders, after another picture, or by chance: pictures, or a video.

    A video without --sweep goes from SOURCE as it is to what is asked for. Sliders win over those of a --preset, and
    come on top of --from-image and --random.
    """
    from facepipe.motion import presets
    from facepipe.pipeline.dependencies import of_reenactment
    from facepipe.pipeline.reenact import is_picture
    from facepipe.pipeline.variation import make_edits, prepare_edits

    if list_sliders:
        print_sliders()
        return
    if source is None:
        raise UsageError("edit needs a SOURCE, a picture or a video; or say --list to see the sliders")
    asked = asked_for(given.sliders, sweep, presets.load_preset(preset) if preset else Edit())
    check_chance(from_image, random, seed, given.settings)
    outs = named(source, out, random, seed or 0, moves=bool(asked.sweeps))
    out = outs[0]
    if save_preset:
        check_saving(asked, save_preset, overwrite=overwrite)
        presets.save_preset(asked, save_preset)
    if is_picture(out):
        wanted = still(asked, out, frames, fps)
    else:
        wanted = moving(asked, frames or (random and FRAMES_PER_DRAW * random), fps)
        wanted = replace(wanted, travels=random is not None or (from_image is not None and not asked.sweeps))
    if random:
        wanted = replace(wanted, draw=Draw(seed or 0, count=1 if is_picture(out) else random))
    shown = {"grid": grid, "paste_back": paste_back, "sheet": sheet}
    options, work = options_of(given, **shown, source_frame=source_frame, overwrite=overwrite, edit=wanted)
    running = Running(force, dry_run, as_json, quiet)
    run_job(
        {"command": "edit", "source": str(source.absolute()), "out": str(out.absolute())},
        work,
        lambda job: make_edits(job, prepare_edits(job, source, from_image, outs, options)),
        running,
        of_reenactment(options, still=is_picture(out)),
    )
    tell_results([*outs, *([sheet] if sheet else [])], running)


def check_chance(from_image: Path | None, random: int | None, seed: int | None, settings: Mapping[str, object]) -> None:
    """Raise UsageError for flags of which one needs, or does not go with, another."""
    if from_image and random:
        raise UsageError("--from-image and --random both say what the face does; leave one of the two out")
    if seed is not None and not random:
        raise UsageError("--seed goes with --random N, which says how many faces are drawn")
    for name in ("motion.only", "motion.strength", "face.driver_face"):
        if settings.get(name) is not None and not from_image:
            raise UsageError(f"--{name.split('.')[1].replace('_', '-')} goes with --from-image FACE")


def named(source: Path, out: Path | None, random: int | None, seed: int, *, moves: bool) -> list[Path]:
    """Return where results go: one file, or one for each draw."""
    if not random:
        return [out or Path(f"{source.stem}--edit{'.mp4' if moves else '.png'}")]
    if out and out.suffix and out.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        return [out]
    base = Path(f"{source.stem}--random-{seed}.png") if out is None else out
    if out and not out.suffix:
        base = out / f"{source.stem}--random-{seed}.png"
    if out and out.suffix and random == 1:
        return [out]
    digits = len(str(random))
    return [base.with_name(f"{base.stem}-{number:0{digits}}{base.suffix}") for number in range(1, random + 1)]


def asked_for(sliders: Mapping[str, float], sweeps: list[str] | None, preset: Edit) -> Edit:
    """Return the sliders and sweeps of a preset with those that were given on top."""
    for name, value in sliders.items():
        if not math.isfinite(value):
            raise UsageError(f"--{name.replace('_', '-')} is {value}, expected a finite number.")
    moved = dict(read_sweep(text) for text in sweeps or ())
    if twice := sorted(set(moved) & set(sliders)):
        raise UsageError(f"{twice[0]} is given as a slider and as a sweep; leave one of the two out.")
    values = {name: value for name, value in {**preset.values, **sliders}.items() if name not in moved}
    kept = {name: ends for name, ends in preset.sweeps.items() if name not in sliders}
    return Edit(values=values, sweeps={**kept, **moved})


def read_sweep(text: str) -> tuple[str, tuple[float, float]]:
    """Read "yaw=-30:30". Raises UsageError."""
    name, _, ends = text.partition("=")
    first, _, last = ends.partition(":")
    try:
        start, end = float(first), float(last)
    except ValueError:
        raise UsageError(f"--sweep is {text!r}, expected NAME=FROM:TO, as in --sweep yaw=-30:30") from None
    if not (math.isfinite(start) and math.isfinite(end)):
        raise UsageError(f"--sweep is {text!r}, expected finite numbers")
    return name.strip().replace("-", "_"), (start, end)


def moving(asked: Edit, frames: int | None, fps: str | None) -> Edit:
    """Return an edit that fills a video."""
    rate = rate_of(fps or FPS)
    values, sweeps = asked.values, asked.sweeps
    if not sweeps:
        values, sweeps = {}, {name: (neutral(name), value) for name, value in values.items()}
    return Edit(values=values, sweeps=sweeps, frames=frames or FRAMES, fps=str(rate))


def rate_of(fps: str) -> Fraction:
    """Return the rate that --fps names. Raises UsageError."""
    try:
        rate = Fraction(fps)
        if not 1 <= rate <= 240:
            raise ValueError
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"--fps is {fps!r}, expected a number from 1 to 240, or a fraction as 30000/1001") from None
    return rate


def still(asked: Edit, out: Path, frames: int | None, fps: str | None) -> Edit:
    """Return an edit of one picture. Raises UsageError for what only a video can have."""
    video_only = {"--sweep": bool(asked.sweeps), "--frames": frames is not None, "--fps": fps is not None}
    if named := [flag for flag, given in video_only.items() if given]:
        raise UsageError(f"{out} is a picture, and {named[0]} makes a video; end the name in .mp4, or leave it out")
    return asked


def check_saving(asked: Edit, path: Path, *, overwrite: bool) -> None:
    """Raise UsageError before a preset is written that could not be used, or over a file that is none."""
    from facepipe.errors import InputError
    from facepipe.motion.presets import load_preset
    from facepipe.motion.sliders import check_edit

    check_edit(asked, read_bounds(_face_model().path))
    if path.exists() and not overwrite:
        try:
            load_preset(path)
        except InputError:
            raise UsageError(f"{path} exists and is no preset; choose another name, or say --overwrite") from None


def print_sliders() -> None:
    """Print every slider with its bounds."""
    for name, (low, high) in read_bounds(_face_model().path).items():
        typer.echo(f"--{name.replace('_', '-'):<20}{low:>7g} to {high:<6g} {unit_of(name)}".rstrip())


def _face_model() -> WeightFile:
    from facepipe.weights import find

    return find("face-model")
