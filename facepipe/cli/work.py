"""`facepipe status`, `clean` and `config`: the work folder and the settings."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from facepipe.cli import arguments as a
from facepipe.cli.folders import AsJson, Folder, folder_of
from facepipe.cli.guard import Verbose
from facepipe.cli.overview import print_status
from facepipe.errors import UsageError

DAY_SECONDS = 86400.0


def status(
    work: Folder = None,
    disk: Annotated[bool, typer.Option("--disk", help="Also list the work files of a batch by stage.")] = False,
    as_json: AsJson = False,
    _quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Print the status of the batch in a work folder, or its content. Safe while jobs run: the folder is only read."""
    from dataclasses import asdict

    from facepipe.batch.overview_reader import has_batch
    from facepipe.engine import read_status
    from facepipe.engine.progress import duration_text, printable, size_text

    folder = folder_of(work)
    if has_batch(folder):
        print_status(folder, as_json=as_json)
        if not disk:
            return
    found = read_status(folder)
    if as_json:
        stages = [asdict(stage) for stage in found.stages]
        typer.echo(json.dumps({"schema": 1, "work": str(folder), "jobs": found.jobs, "stages": stages}, sort_keys=True))
        return
    if not found.stages:
        typer.echo(f"{printable(str(folder))}: no work files")
        return
    columns = ("unreferenced", "damaged", "foreign", "running", "interrupted")
    typer.echo(f"{printable(str(folder))}: {found.jobs} jobs, {size_text(sum(stage.bytes for stage in found.stages))}")
    typer.echo(f"{'stage':<14}{'results':>8}{'size':>11}{'took':>11}  remarks")
    for stage in found.stages:
        remarks = [f"{getattr(stage, name)} {name}" for name in columns if getattr(stage, name)]
        line = f"{stage.stage:<14}{stage.artefacts:>8}{size_text(stage.bytes):>11}{duration_text(stage.seconds):>11}"
        typer.echo(f"{line}  {', '.join(remarks)}".rstrip())


def clean(
    work: Folder = None,
    every: Annotated[bool, typer.Option("--all", help="Remove all work files and the records of jobs.")] = False,
    unreferenced: Annotated[
        bool, typer.Option("--unreferenced", help="Also remove work files that no job used in its last run.")
    ] = False,
    older_than: Annotated[
        float | None, typer.Option("--older-than", help="Also remove work files older than this number of days.", min=0)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be removed, and remove nothing.")
    ] = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Remove left-overs of killed runs and unreadable work files from a work folder.

    Delivered results (-o) are never removed.
    """
    from facepipe.engine import clean as clean_folder
    from facepipe.engine.progress import printable, size_text

    folder = folder_of(work)
    if work is not None and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give the work folder of a job")
    seconds = None if older_than is None else older_than * DAY_SECONDS
    done = clean_folder(
        folder, unreferenced=unreferenced, older_than_seconds=seconds, everything=every, dry_run=dry_run
    )
    for path in done.paths if dry_run else ():
        typer.echo(os.fsencode(path))
    if quiet:
        return
    verb = "would remove" if dry_run else "removed"
    typer.echo(f"{verb} {len(done.paths)} files and folders in {printable(str(folder))}, {size_text(done.bytes)}")


def config(
    show_origin: Annotated[bool, typer.Option("--show-origin", help="Also print where each value comes from.")] = False,
    as_json: AsJson = False,
    _quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Print the current settings. The environment overrides facepipe.toml, which overrides the defaults."""
    from facepipe.config import load_settings
    from facepipe.requests.rules import check_settings

    settings = load_settings()
    check_settings(settings)
    rows = settings.rows()
    if as_json:
        for name, value, origin in rows:
            typer.echo(json.dumps({"schema": 1, "name": name, "value": value, "origin": origin}))
        return
    width = max(len(f"{name} = {json.dumps(value)}") for name, value, _ in rows)
    for name, value, origin in rows:
        line = f"{name} = {json.dumps(value)}"
        typer.echo(f"{line:<{width}}  # {origin}" if show_origin else line)
