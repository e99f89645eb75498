"""`facepipe crop`, `coefficients`, `motion`, `render` and `mux`: each stage alone, on files and on folders."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facepipe.cli import arguments as a
from facepipe.cli.guard import Verbose
from facepipe.cli.jobs import Running, delivery_of, fps_of, options_of, run_job, tell_results
from facepipe.errors import FailedItemsError, UsageError

if TYPE_CHECKING:
    from facepipe.engine import Job
    from facepipe.pipeline.audio import Takes
    from facepipe.pipeline.dependencies import Dependencies
    from facepipe.pipeline.options import Options
    from facepipe.pipeline.steps import Steps

Inputs = Annotated[
    list[Path], typer.Argument(help="Pictures and videos, or folders of them.", show_default=False, readable=False)
]
Tracked = Annotated[
    list[Path],
    typer.Argument(
        help="Track files (.track.npz), pictures, videos, or folders of them.", show_default=False, readable=False
    ),
]
Drivers = Annotated[
    list[Path],
    typer.Argument(
        help="Motion files (.npz), tracks, sound, pictures, videos, or folders.", show_default=False, readable=False
    ),
]
Motions = Annotated[
    list[Path],
    typer.Argument(
        help="Motion files (.npz), or folders of them.", metavar="MOTION", show_default=False, readable=False
    ),
]
Sounds = Annotated[
    list[Path],
    typer.Argument(
        help="Sound files, videos with sound, or folders.", metavar="SOUND", show_default=False, readable=False
    ),
]
Segments = Annotated[
    list[Path],
    typer.Argument(
        help="Videos of one size, rate and codec, in order; or a folder.", show_default=False, readable=False
    ),
]
Portrait = Annotated[
    Path, typer.Argument(help="The portrait: a picture, or a video one frame of which is taken.", readable=False)
]
SourceMotion = Annotated[
    Path, typer.Argument(help="The face that is to move: coefficients (.npz), picture or video.", readable=False)
]
Out = Annotated[
    Path,
    typer.Option(
        "-o", "--out", help="The result; or a folder, where results keep the inputs' names.", show_default=False
    ),
]
Sound = Annotated[Path | None, typer.Option("--sound", help="Sound or video file whose sound is used.", readable=False)]


@a.accepting("size", "quality", "face", "no_face", "landmarker", *a.LIMITS)
def crop(
    inputs: Inputs,
    out: Out,
    given: a.Given,
    overwrite: a.Overwrite = False,
    force: a.Force = None,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Find and follow a face; write what is cut out (.mp4 or .png) and its track (.track.npz)."""
    from facepipe.pipeline.dependencies import of_crop
    from facepipe.pipeline.items import is_medium

    options, work = options_of(given, overwrite=overwrite)
    find = _finder(inputs, out, is_medium, "pictures or videos")
    running = Running(force, dry_run, as_json, quiet)
    _run("crop", inputs, find, out, options, work, running, of_crop(options), encodes=True)


@a.accepting("face", "no_face", "landmarker", "smoothing", "space", *a.LIMITS)
def coefficients(
    inputs: Tracked,
    out: Out,
    given: a.Given,
    overwrite: a.Overwrite = False,
    force: a.Force = None,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Fit the face model; write coefficients (.npz), which can drive `reenact`. Media with a track beside use that."""
    from facepipe.pipeline.dependencies import of_coefficients
    from facepipe.pipeline.items import fittable

    options, work = options_of(given, overwrite=overwrite)
    find = _finder(inputs, out, fittable(options.space), "tracks, pictures or videos")
    running = Running(force, dry_run, as_json, quiet)
    _run("coefficients", inputs, find, out, options, work, running, of_coefficients(options))


@a.accepting(*a.LIMITS)
def features(
    sounds: Sounds,
    out: Out,
    given: a.Given,
    fps: a.Fps = "25",
    mfcc: Annotated[bool, typer.Option("--mfcc", help="Write MFCC too.")] = False,
    overwrite: a.Overwrite = False,
    force: a.Force = None,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Describe sound as numbers (.npz), one column for each frame of video: log-mel, energy, voicing, MFCC if asked."""
    from facepipe.pipeline.dependencies import of_features
    from facepipe.pipeline.items import is_sound_or_video
    from stages.features import Params

    options, work = options_of(given, overwrite=overwrite)
    params = Params(fps=str(fps_of(fps)), mfcc=mfcc)
    find = _finder(sounds, out, is_sound_or_video, "sound or videos")
    running = Running(force, dry_run, as_json, quiet)
    _run("features", sounds, find, out, options, work, running, of_features(), sees=False, params=params)


@a.accepting(*a.FACES, *a.MOTIONS, "space", *a.LIMITS, speech=True)
def motion(
    source: SourceMotion,
    drivers: Drivers,
    out: Out,
    given: a.Given,
    preset: a.Preset = None,
    overwrite: a.Overwrite = False,
    force: a.Force = None,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Give SOURCE the motion of drivers; write it as coefficients (.npz) for `render`. Sound drives as in `audio`."""
    from facepipe.motion.presets import load_preset
    from facepipe.motion.sliders import Edit
    from facepipe.pipeline.audio import Takes
    from facepipe.pipeline.dependencies import of_motion
    from facepipe.pipeline.items import fittable, is_motion, is_sound, may_be_sound

    edit = load_preset(preset) if preset else Edit()
    options, work = options_of(given, overwrite=overwrite, edit=edit)
    fits = fittable(options.space)
    takes = Takes(delivery_of(given.speech), fps=fps_of(given.speech["fps"]))

    def wanted(path: Path) -> bool:
        return is_motion(path) or fits(path) or is_sound(path)

    find = _finder(drivers, out, wanted, "motion files, tracks, sound or media")
    running = Running(force, dry_run, as_json, quiet)
    moves, speaks = not all(map(is_sound, drivers)), any(map(may_be_sound, drivers))
    uses = of_motion(options, moves=moves, speaks=speaks)
    _run("motion", drivers, find, out, options, work, running, uses, source=source, takes=takes)


@a.accepting(*a.RENDERING, "face", "landmarker", *a.LIMITS, *a.PROVENANCE)
def render(
    source: Portrait,
    motions: Motions,
    out: Out,
    given: a.Given,
    grid: a.Grid = False,
    paste_back: a.PasteBack = False,
    source_frame: a.SourceFrame = "best",
    overwrite: a.Overwrite = False,
    force: a.Force = None,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Draw SOURCE in the poses and expressions of motion files as they stand; `motion` makes files that suit it."""
    from facepipe.pipeline.dependencies import of_render
    from facepipe.pipeline.items import is_motion

    shown = {"grid": grid, "paste_back": paste_back, "source_frame": source_frame}
    options, work = options_of(given, **shown, overwrite=overwrite)
    find = _finder(motions, out, is_motion, "motion files (.npz)")
    running = Running(force, dry_run, as_json, quiet)
    _run("render", motions, find, out, options, work, running, of_render(options), source=source, encodes=True)


@a.accepting("fit", "quality", *a.LIMITS, *a.PROVENANCE)
def mux(
    segments: Segments,
    out: Out,
    given: a.Given,
    sound: Sound = None,
    overwrite: a.Overwrite = False,
    force: a.Force = None,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Join videos without encoding them again, and give them sound."""
    from facepipe.pipeline.dependencies import of_mux
    from facepipe.pipeline.items import find_items, is_medium
    from facepipe.pipeline.steps import Steps

    if out.suffix.lower() != ".mp4":
        raise UsageError(f"the result of mux is an mp4, but -o says {out}; end it in .mp4")
    options, work = options_of(given, overwrite=overwrite)
    running = Running(force, dry_run, as_json, quiet)

    def body(job: Job) -> None:
        paths = [item.path for path in segments for item in find_items([path], Path(), is_medium, kinds="videos")]
        Steps(job, options, {}).mux(paths, sound, out)

    run_job({"command": "mux", "out": str(out.absolute())}, work, body, running, of_mux(options))
    tell_results([out], running)


def _finder(inputs: list[Path], out: Path, wanted: Callable[[Path], bool], kinds: str) -> Callable[[], list[Any]]:
    from facepipe.pipeline.items import find_items

    return lambda: find_items(inputs, out, wanted, kinds=kinds)


def _run(
    command: str,
    inputs: list[Path],
    find: Callable[[], list[Any]],
    out: Path,
    options: Options,
    work: Path,
    running: Running,
    uses: Dependencies,
    *,
    source: Path | None = None,
    encodes: bool = False,
    sees: bool = True,
    takes: Takes | None = None,
    **how: Any,
) -> None:
    """Run one stage on all items, and print where the results lie, those of a run with failures too."""
    from facepipe.media.encode import check_codec
    from facepipe.pipeline.batch import run_items
    from facepipe.pipeline.perception import perception_weights
    from facepipe.pipeline.precheck import all_of, check_work_folder
    from facepipe.pipeline.rendering import renderer_weights
    from facepipe.pipeline.steps import Steps

    made: list[Path] = []

    def body(job: Job) -> None:
        checks: list[Callable[[], Any]] = [find, lambda: perception_weights(options) if sees else {}]
        checks.append(lambda: renderer_weights(options) if encodes else {})
        checks += [lambda: check_codec(options.codec)] if encodes else []
        checks += [options.provenance.check] if command == "render" else []
        checks.append(lambda: check_work_folder(job))
        items, perception, drawing = all_of(checks)[:3]
        weights = {**perception, **drawing}
        steps: Steps = Steps(job, options, weights, source, takes)
        made.extend(run_items(job, command, items, partial(getattr(steps, command), **how)))

    names = {"inputs": [str(path.absolute()) for path in inputs], "out": str(out.absolute())}
    identity = {"command": command, **names, **({"source": str(source.absolute())} if source else {})}
    try:
        run_job(identity, work, body, running, uses)
    except FailedItemsError as error:
        made.extend(error.done)
        raise
    finally:
        tell_results(made, running)
