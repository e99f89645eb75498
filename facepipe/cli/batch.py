"""`facepipe batch` and `facepipe retry`: many items on all cores, and on several machines."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from facepipe.cli import arguments as a
from facepipe.cli import batch_arguments as b
from facepipe.cli.batch_run import run_list
from facepipe.cli.batch_settings import BatchSettings, limits_of, shard_of
from facepipe.cli.guard import Verbose
from facepipe.cli.overview import Classes
from facepipe.errors import UsageError

STDIN = "-"
DATASET = "dataset"
"""The command of items of `facepipe dataset build`, which are not rows of a list."""


def batch(
    jobs: b.Jobs,
    out: b.Template = "",
    pair: b.Pair = "list",
    command: b.Command = "reenact",
    set_options: b.Set = None,
    engine: b.EngineName = "loky",
    workers: b.Workers = 0,
    scheduler: b.Scheduler = "",
    rank: b.Rank = None,
    world: b.World = None,
    retries: b.Retries = 2,
    max_failures: b.MaxFailures = "",
    fail_fast: b.FailFast = False,
    skip_invalid: b.SkipInvalid = False,
    keep: b.KeepWhat = "all",
    work: a.Work = None,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    log_file: a.LogFile = None,
    quiet: a.Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make many results: one for each row of a list, or for each pair of files.

    Columns: command, source, driving or sound, output, sample, and any option of the command. Finished items are
    skipped; run the same command again to continue after a stop, also on several machines that share the work folder.
    Progress is printed to stderr, at the end the paths of all results that are done to stdout.
    `facepipe status`, `failures`, `stats` and `report` show the progress.
    """
    from facepipe.batch.commands import Commands
    from facepipe.batch.joblist import JobList
    from facepipe.config import load_settings

    settings = BatchSettings(
        engine, workers, scheduler, limits_of(max_failures, retries, fail_fast=fail_fast), keep, work, log_file
    )
    with _rows(jobs, pair, command) as (name, rows):
        shard = shard_of(rank, world, os.environ)
        common = dict(read_setting(text) for text in set_options or ())
        listed = JobList(name, rows, Commands(load_settings()), command, common, out, shard)
        run_list(
            listed, settings, dry_run=dry_run, as_json=as_json, quiet=quiet, verbose=verbose, skip_invalid=skip_invalid
        )


def retry(
    work: Annotated[
        Path | None, typer.Argument(help="Work folder of the batch (default: .facepipe).", readable=False)
    ] = None,
    classes: Classes = None,
    engine: b.EngineName = "loky",
    workers: b.Workers = 0,
    scheduler: b.Scheduler = "",
    retries: b.Retries = 2,
    max_failures: b.MaxFailures = "",
    fail_fast: b.FailFast = False,
    keep: b.KeepWhat = "all",
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    log_file: a.LogFile = None,
    quiet: a.Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run only the failed items of a batch again, including those with permanent failures."""
    from facepipe.batch.commands import Commands
    from facepipe.batch.joblist import Recorded
    from facepipe.batch.listed import RETRY
    from facepipe.batch.overview_reader import has_batch, read_overview
    from facepipe.config import load_settings

    settings = BatchSettings(
        engine, workers, scheduler, limits_of(max_failures, retries, fail_fast=fail_fast), keep, work, log_file
    )
    if not has_batch(settings.work):
        raise UsageError(f"{settings.work} holds no batch; give the work folder of one")
    overview = read_overview(settings.work)
    wanted = [one for one in overview.failures.values() if not classes or one.kind in classes]
    if classes and (unknown := sorted(set(classes) - set(overview.failure_classes))):
        known = ", ".join(sorted(overview.failure_classes)) or "none"
        raise UsageError(f"--class {unknown[0]}: no item has a failure of this class; classes in this batch: {known}")
    if not wanted:
        typer.echo("nothing failed", err=True)
        return
    os.chdir(overview.folder or Path.cwd())
    items = tuple(one.item for one in wanted if one.item)
    if any(item.command == DATASET for item in items):
        raise UsageError("the failed items belong to a data set; retry them with `facepipe dataset build … --again`")
    listed = Recorded(RETRY, lambda: (), Commands(load_settings()), recorded=items)
    again = frozenset(one.kind for one in wanted)
    run_list(
        listed, settings, dry_run=dry_run, as_json=as_json, quiet=quiet, verbose=verbose, skip_invalid=True, again=again
    )


@contextmanager
def _rows(jobs: list[str], pair: str, command: str) -> Iterator[tuple[str, Any]]:
    """Yield the name of the list and a function that returns a new iterator over its rows."""
    from facepipe.batch.pairing import pair as paired
    from facepipe.batch.rows import read_rows, spool

    if pair in ("product", "zip"):
        pairs = (
            list(paired(cast("Any", pair), jobs, "sound" if command == "audio" else "driving"))
            if pair == "zip"
            else None
        )
        again = partial(paired, cast("Any", pair), jobs, "sound" if command == "audio" else "driving")
        yield f"--pair {pair} {' '.join(jobs)}", lambda: enumerate(pairs if pairs is not None else again(), start=1)
        return
    if pair != "list":
        raise UsageError(f"--pair is {pair!r}, expected product, zip or list")
    if len(jobs) > 1:
        raise UsageError(f"expected one list of jobs, got {len(jobs)}; to pair files, use --pair product or --pair zip")
    if jobs[0] != STDIN:
        yield jobs[0], partial(read_rows, Path(jobs[0]))
        return
    with tempfile.TemporaryDirectory(prefix="facepipe-jobs-") as folder:
        spooled = Path(folder) / "standard input"
        spool(sys.stdin, spooled)
        yield "standard input", partial(read_rows, spooled)


def read_setting(text: str) -> tuple[str, str]:
    """Read "size=512". Raises UsageError."""
    name, equals, value = text.partition("=")
    if not (name.strip() and equals):
        raise UsageError(f"--set is {text!r}, expected NAME=VALUE, for example --set size=512")
    return name.strip(), value
