"""`facepipe dataset`: training sets out of raw videos."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from facepipe.cli import arguments as a
from facepipe.cli.guard import Verbose
from facepipe.cli.jobs import Running, run_job, tell_results
from facepipe.errors import FailedItemsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from facepipe.engine import Job

app = typer.Typer(help="Make training sets out of raw videos.", rich_markup_mode=None, no_args_is_help=True)

Clips = Annotated[Path, typer.Argument(help="Folder of raw videos.", show_default=False, readable=False)]
Dataset = Annotated[Path, typer.Argument(help="Folder of the data set.", show_default=False, readable=False)]


@app.command()
def build(
    clips: Clips,
    out: Dataset,
    rule: Annotated[
        Literal["head", "union", "voxceleb"],
        typer.Option(
            help="head: each video is one clip, cut as `facepipe crop` does. union: likewise, around the union of the "
            "face's boxes. voxceleb: each stretch of each face that the VoxCeleb rule accepts is a clip."
        ),
    ] = "head",
    size: Annotated[int, typer.Option(help="Width and height of the clips in pixels.", min=64, max=2048)] = 256,
    fps: Annotated[str, typer.Option(help="Frames per second of the clips.")] = "25",
    quality: Annotated[int, typer.Option(help="0 (smallest files) to 100 (best pictures).", min=0, max=100)] = 90,
    people: Annotated[
        Path | None,
        typer.Option(help="Table (CSV or TSV) with the columns file, person and, if wanted, split.", readable=False),
    ] = None,
    boxes: Annotated[
        Path | None,
        typer.Option(help="For voxceleb: folder of its annotations, ID/VIDEO/00001.txt.", readable=False),
    ] = None,
    test_percent: Annotated[
        float, typer.Option("--test-percent", help="Of a hundred people, so many go to the split test.", min=0, max=100)
    ] = 0.0,
    overwrite: a.Overwrite = False,
    force: a.Force = None,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    work: a.Work = None,
    _verbose: Verbose = False,
) -> None:
    """Cut raw videos into clips of one head, with track, coefficients and sound features, split by person.

    A person is what the table says, else the name before the first #, else the folder, else the file. A second run
    makes only what is missing.
    """
    from facepipe.config import load_settings
    from facepipe.dataset.annotations import Annotations
    from facepipe.dataset.build import Recipe, build_dataset
    from facepipe.dataset.people import find_people
    from facepipe.media.limits import MediaLimits

    if size % 2:
        raise UsageError(f"--size is {size}; video needs an even number. Take {size + 1}.")
    if boxes and (rule != "voxceleb" or not boxes.is_dir()):
        told = f"{boxes} is no folder" if rule == "voxceleb" else f"goes with --rule voxceleb, not {rule}"
        raise UsageError(f"--boxes {told}; give the folder of VoxCeleb's annotations (.txt)")
    settings = load_settings(flags={"work.folder": str(work) if work else None}, flag_names=a.FLAG_NAMES)
    limits = MediaLimits(settings.media.max_pixels, settings.media.max_duration_seconds)
    recipe = Recipe(rule, size, rate_of(fps), quality, limits, overwrite)
    running = Running(force, dry_run, as_json, quiet)
    made: list[Path] = []

    def body(job: Job) -> None:
        whom = find_people(clips, people, test_percent=test_percent)
        made.extend(build_dataset(job, clips, out, recipe, whom, Annotations(boxes) if boxes else None))

    identity = {"command": "dataset build", "clips": str(clips.absolute()), "out": str(out.absolute())}
    _run(identity, Path(settings.work.folder), body, running, made)


@app.command()
def export(
    dataset: Dataset,
    out: Annotated[Path, typer.Argument(help="Folder of the export.", show_default=False, readable=False)],
    shards: Annotated[bool, typer.Option("--shards", help="WebDataset: tar files, one series a split.")] = False,
    lmdb: Annotated[
        bool, typer.Option("--lmdb", help="LMDB in the layout of PIRenderer's published training.")
    ] = False,
    clips: Annotated[int, typer.Option("--clips", help="Clips in a shard.", min=1)] = 256,
    coefficients: Annotated[
        Path | None,
        typer.Option(
            help="For --lmdb: folder of the clips' coefficients of basis bfm, ID.npz or ID.mat.", readable=False
        ),
    ] = None,
    overwrite: a.Overwrite = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    work: a.Work = None,
    _verbose: Verbose = False,
) -> None:
    """Hand a data set on as WebDataset shards or as LMDB. A second run writes only what changed."""
    from facepipe.config import load_settings
    from facepipe.dataset.export import export_lmdb, export_shards

    if shards == lmdb:
        raise UsageError("say either --shards or --lmdb: one form in one run")
    settings = load_settings(flags={"work.folder": str(work) if work else None}, flag_names=a.FLAG_NAMES)
    running = Running(None, False, as_json, quiet)
    made: list[Path] = []

    def body(job: Job) -> None:
        if shards:
            made.extend(export_shards(job, dataset, out, clips, overwrite=overwrite))
        else:
            made.extend(export_lmdb(job, dataset, out, coefficients, overwrite=overwrite))

    identity = {"command": "dataset export", "dataset": str(dataset.absolute()), "out": str(out.absolute())}
    _run(identity, Path(settings.work.folder), body, running, made)


def _run(identity: dict[str, str], work: Path, body: Callable[[Job], None], running: Running, made: list[Path]) -> None:
    """Run a job and print where its results lie, those of a run with failures too."""
    try:
        run_job(identity, work, body, running)
    except FailedItemsError as error:
        made.extend(error.done)
        raise
    finally:
        tell_results(made, running)


def rate_of(text: str) -> Fraction:
    """Read frames per second. Raises UsageError for what is no positive number."""
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 1 <= rate <= 240:
        raise UsageError(f"--fps is {text!r}; expected a number from 1 to 240, or a fraction such as 30000/1001")
    return rate
