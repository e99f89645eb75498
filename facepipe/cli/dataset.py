"""`facepipe dataset`: training sets from raw videos."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from facepipe.cli import arguments as a
from facepipe.cli import batch_arguments as b
from facepipe.cli.batch_run import run_list
from facepipe.cli.batch_settings import BatchSettings, limits_of, shard_of
from facepipe.cli.completion import completing
from facepipe.cli.guard import Verbose
from facepipe.cli.jobs import Running, report_results, run_job
from facepipe.errors import ExitCode, FailedItemsError, FailureClass, NoFaceError, UsageError
from facepipe.spaces import SPACES

if TYPE_CHECKING:
    from facepipe.batch.joblist import Recorded
    from facepipe.dataset.build import Recipe
    from facepipe.engine import Job

LIST = "dataset.jsonl"
app = typer.Typer(help="Make training sets from raw videos.", rich_markup_mode=None, no_args_is_help=True)

Clips = Annotated[Path, typer.Argument(help="Folder of raw videos.", show_default=False, readable=False)]
Dataset = Annotated[Path, typer.Argument(help="Folder of the data set.", show_default=False, readable=False)]


Rule = Annotated[
    Literal["head", "union", "voxceleb"],
    typer.Option(
        help="head: each video is one clip, cut as `facepipe crop` does. union: the same, around the union of the "
        "face's boxes. voxceleb: a clip for each part of each face track that the VoxCeleb rule accepts."
    ),
]
Size = Annotated[int, typer.Option(help="Width and height of the clips in pixels.", min=64, max=2048)]
Fps = Annotated[str, typer.Option(help="Frames per second of the clips.")]
Quality = Annotated[int, typer.Option(help="0 (smallest files) to 100 (best pictures).", min=0, max=100)]
Space = Annotated[
    str,
    typer.Option(
        help=f"Also write coefficients in this motion space: {', '.join(SPACES)}. Training the published "
        "PIRenderer needs bfm.",
        autocompletion=completing("motion_space"),
    ),
]
PeopleTable = Annotated[
    Path | None,
    typer.Option(help="CSV or TSV table with the columns file, person and, optionally, split.", readable=False),
]
Boxes = Annotated[
    Path | None,
    typer.Option(help="For --rule voxceleb: folder with the VoxCeleb annotations, ID/VIDEO/00001.txt.", readable=False),
]
TestPercent = Annotated[
    float, typer.Option("--test-percent", help="Percentage of the people in the split test.", min=0, max=100)
]
Again = Annotated[bool, typer.Option("--again", help="Also retry videos with permanent failures.")]


@app.command()
def build(
    clips: Clips,
    out: Dataset,
    rule: Rule = "head",
    size: Size = 256,
    fps: Fps = "25",
    quality: Quality = 90,
    space: Space = "linear478",
    people: PeopleTable = None,
    boxes: Boxes = None,
    test_percent: TestPercent = 0.0,
    engine: b.EngineName = "loky",
    workers: b.Workers = 0,
    scheduler: b.Scheduler = "",
    rank: b.Rank = None,
    world: b.World = None,
    retries: b.Retries = 2,
    max_failures: b.MaxFailures = "",
    keep: b.KeepWhat = "all",
    again: Again = False,
    overwrite: a.Overwrite = False,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    log_file: a.LogFile = None,
    quiet: a.Quiet = False,
    work: a.Work = None,
    verbose: Verbose = False,
) -> None:
    """Cut raw videos into clips of one head each, with track, coefficients and sound features, split by person.

    The person is taken from the table, else from the file name before the first #, else from the folder, else from the
    file name. The command is a batch with one item per raw video: finished items are skipped, and `facepipe status` and
    `failures` show the progress.
    """
    import os

    from facepipe.dataset.annotations import Annotations
    from facepipe.dataset.commands import list_videos
    from facepipe.dataset.people import find_people

    recipe = _recipe(rule, size, fps, quality, space, overwrite=overwrite)
    annotations = Annotations(_annotation_folder(boxes, rule)) if boxes else None
    how = BatchSettings(
        engine, workers, scheduler, limits_of(max_failures, retries, fail_fast=False), keep, work, log_file
    )
    persons = find_people(clips, people, test_percent=test_percent)
    videos = list_videos(clips, out, recipe, persons, annotations, shard_of(rank, world, os.environ))
    classes = frozenset(get_args(FailureClass) if again else ())
    _run(videos, out, how, classes, Running(None, dry_run, as_json, quiet), verbose=verbose)


def _recipe(rule: str, size: int, fps: str, quality: int, space: str, *, overwrite: bool) -> Recipe:
    """Return the checked recipe of the clips. Raises UsageError."""
    from facepipe.config import load_settings
    from facepipe.dataset.build import Recipe
    from facepipe.media.limits import MediaLimits
    from facepipe.requests.resolution import fps_of

    if size % 2:
        raise UsageError(f"--size is {size}; video needs an even number. Take {size + 1}.")
    media = load_settings().media
    limits = MediaLimits(media.max_pixels, media.max_duration_seconds)
    if space not in SPACES:
        raise UsageError(f"--space is {space!r}, expected one of {', '.join(SPACES)}")
    return Recipe(rule, size, fps_of(fps), quality, space, limits, overwrite)


def _annotation_folder(boxes: Path, rule: str) -> Path:
    """Return the folder of the annotations. Raises UsageError if it is missing or the rule does not use it."""
    if rule == "voxceleb" and boxes.is_dir():
        return boxes
    reason = f"{boxes} is not a folder" if rule == "voxceleb" else f"needs --rule voxceleb, but the rule is {rule}"
    raise UsageError(f"--boxes {reason}; give the folder of the VoxCeleb annotations (.txt)")


def _run(
    videos: Recorded, out: Path, how: BatchSettings, again: frozenset[str], running: Running, *, verbose: bool
) -> None:
    """Run the batch and write the list of finished clips. Raises typer.Exit with the exit code of the batch."""
    from facepipe.dataset.commands import assemble
    from facepipe.engine.progress import printable

    code, dry_run = 0, running.dry_run
    try:
        run_list(
            videos,
            how,
            dry_run=dry_run,
            as_json=running.as_json,
            quiet=running.quiet,
            verbose=verbose,
            skip_invalid=True,
            lists_results=False,
            again=again,
        )
    except typer.Exit as ended:
        code = ended.exit_code
    clips = 0
    if not dry_run and code not in (ExitCode.INTERRUPTED, ExitCode.TRY_AGAIN):
        result = assemble(videos, out)
        clips = result.clips
        # Other processes of a sharded build may still make clips.
        if not clips and videos.shard.world == 1 and code in (ExitCode.DONE, ExitCode.FAILED_ITEMS):
            why = (
                "Use --rule head, a smaller --size or other videos"
                if result.rejected
                else "`facepipe failures` says why"
            )
            raise NoFaceError(f"{out}: no clip remains ({result}). {why}.")
        if not running.quiet:
            print(f"{out}: {printable(str(result))}", file=sys.stderr)
    report_results([out / LIST] if clips else [], running)
    if code:
        raise typer.Exit(code)


@app.command()
def export(
    dataset: Dataset,
    out: Annotated[Path, typer.Argument(help="Folder of the export.", show_default=False, readable=False)],
    shards: Annotated[bool, typer.Option("--shards", help="WebDataset: tar files, one series per split.")] = False,
    lmdb: Annotated[
        bool, typer.Option("--lmdb", help="LMDB in the layout of the official PIRenderer training.")
    ] = False,
    clips: Annotated[int, typer.Option("--clips", help="For --shards: clips per shard.", min=1)] = 256,
    coefficients: Annotated[
        Path | None,
        typer.Option(
            help="For --lmdb: folder with coefficients of the clips in the motion space bfm, ID.npz or ID.mat.",
            readable=False,
        ),
    ] = None,
    overwrite: a.Overwrite = False,
    as_json: a.AsJson = False,
    log_file: a.LogFile = None,
    quiet: a.Quiet = False,
    work: a.Work = None,
    _verbose: Verbose = False,
) -> None:
    """Export a data set as WebDataset shards or as LMDB. A second run writes only what changed."""
    from facepipe.config import load_settings
    from facepipe.dataset.export import export_lmdb, export_shards

    if shards == lmdb:
        raise UsageError("expected exactly one of --shards and --lmdb")
    settings = load_settings(flags={"work.folder": str(work) if work else None})
    running = Running(None, False, as_json, quiet, log_file)
    made: list[Path] = []

    def body(job: Job) -> None:
        if shards:
            made.extend(export_shards(job, dataset, out, clips, overwrite=overwrite))
        else:
            made.extend(export_lmdb(job, dataset, out, coefficients, overwrite=overwrite))

    identity = {"command": "dataset export", "dataset": str(dataset.absolute()), "out": str(out.absolute())}
    try:
        run_job(identity, Path(settings.work.folder), body, running)
    except FailedItemsError as error:
        made.extend(error.done)
        raise
    finally:
        report_results(made, running)
