"""`facepipe failures`, `stats`, `report`, and `status` of a batch. They read only the work folder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facepipe.cli import arguments as a
from facepipe.cli.folders import AsJson, Folder, folder_of
from facepipe.cli.guard import Verbose
from facepipe.errors import UsageError

if TYPE_CHECKING:
    from facepipe.batch.overview import Failure, Overview, StageTotal

Classes = Annotated[
    list[str] | None, typer.Option("--class", help="Only failures of this class. Repeatable.", metavar="CLASS")
]
SLOWEST = 4


def failures(
    work: Folder = None,
    classes: Classes = None,
    details: Annotated[
        bool, typer.Option("--details", help="Also print the last output of ffmpeg and other programs.")
    ] = False,
    as_json: AsJson = False,
    _quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Print the failed items of a batch: class, stage, tries and reason. `facepipe retry` runs them again."""
    from facepipe.engine.progress import printable

    overview = read(work)
    found = [one for one in overview.failures.values() if not classes or one.kind in classes]
    for one in sorted(found, key=lambda one: (one.kind, one.label)):
        typer.echo(json.dumps(_as_json(one), sort_keys=True) if as_json else _line(one))
        if details and one.detail and not as_json:
            typer.echo("\n".join(f"    {printable(line)}" for line in one.detail.splitlines()))
        if not as_json:
            for remark in one.remarks:
                typer.echo(printable(f"    note: {remark.text}"))
    if not found and not as_json:
        typer.echo("no failures")


def stats(
    work: Folder = None,
    notes: Annotated[
        bool, typer.Option("--notes", help="Print one line for each note about an item instead: code, item, text.")
    ] = False,
    as_json: AsJson = False,
    _quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Print statistics of a batch: time and frames by stage, frames without a face, size of the results."""
    from facepipe.engine.progress import size_text

    overview = read(work, notes=notes)
    if notes:
        _print_notes(overview, as_json=as_json)
        return
    total = sum(stage.seconds.sum for stage in overview.stages.values()) or 1.0
    if as_json:
        stages = {name: _stage_json(stage) for name, stage in overview.stages.items()}
        typer.echo(json.dumps({**overview.as_json(), "stages": stages}, sort_keys=True))
        return
    typer.echo(
        f"{'stage':<14}{'made':>9}{'skipped':>9}{'mean s':>9}{'std s':>9}{'min s':>9}{'max s':>9}{'frames/s':>10}  "
        "share"
    )
    for name, stage in sorted(overview.stages.items(), key=lambda pair: -pair[1].seconds.sum):
        typer.echo(f"{name:<14}{_stage_line(stage)}  {stage.seconds.sum / total:.0%}")
    items = overview.seconds
    if items.count:
        typer.echo(
            f"{items.count} tries: mean {items.mean:.2f} s (std {items.std:.2f}, {items.minimum:.2f} to "
            f"{items.maximum:.2f}); {overview.frames} frames, {overview.lost} without a face; "
            f"{size_text(overview.bytes)} of results"
        )
    for code, count in overview.remark_codes.most_common():
        typer.echo(f"note: {code}: {count} item{'s' * (count != 1)}; `facepipe stats --notes` says which")


def _print_notes(overview: Overview, *, as_json: bool) -> None:
    """Print one line for each remark about an item."""
    from facepipe.engine.progress import printable

    for one in sorted(overview.remarks, key=lambda one: (one.remark.code, one.label, one.remark.text)):
        if as_json:
            content = {"schema": 1, "item": one.id, "label": one.label, "state": one.state, **one.remark.as_json()}
            typer.echo(json.dumps(content, sort_keys=True))
        else:
            typer.echo(printable(f"{one.remark.code:<20} {one.label}: {one.remark.text}"))
    if not overview.remarks and not as_json:
        typer.echo("no notes")


def report(
    work: Folder = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="HTML file to write (default: report.html).", readable=False)
    ] = None,
    stills: Annotated[
        int, typer.Option("--stills", help="Number of stills of finished items, and of failed items.", min=0)
    ] = 12,
    overwrite: a.Overwrite = False,
    _quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Write an HTML page about a batch: plots, stills, and a table with filters. The file is self-contained."""
    import os

    from facepipe.batch.overview_reader import read_overview
    from facepipe.batch.report import MARK, write_report

    folder, out = folder_of(work), out or Path("report.html")
    read(work)
    if out.is_dir() or (out.exists() and not overwrite and MARK not in out.read_text("utf-8", "replace")[:200]):
        raise UsageError(
            f"{out} exists and is not a report of facepipe; choose another name with -o, or use --overwrite"
        )
    write_report(folder, out, stills=stills, read=read_overview)
    typer.echo(os.fsencode(out))


def print_status(folder: Path, *, as_json: bool) -> None:
    """Print the status of a batch."""
    from facepipe.batch.overview_reader import read_overview
    from facepipe.engine.progress import printable

    overview = read_overview(folder)
    if as_json:
        typer.echo(json.dumps(overview.as_json(), sort_keys=True))
        return
    for line in status_lines(overview):
        typer.echo(printable(line))


def status_lines(overview: Overview) -> list[str]:
    """Return the status of a batch as lines of text."""
    counts = {name: getattr(overview, name) for name in ("done", "failed", "running", "waiting")}
    states = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "done")
    lines = [f"{overview.work}: {overview.total} items: {states}"]
    for name, run in overview.lists.items():
        shard = f", shard {run['rank']} of {run['world']}" if int(run.get("world", 1)) > 1 else ""
        lines.append(
            f"  {name}: {run.get('items')} items, last run with {run.get('workers')} x {run.get('engine')}{shard}"
        )
    if overview.dropped_from_lists:
        lines.append(f"  not counted: {overview.dropped_from_lists} items that are in no list any more")
    if overview.interrupted:
        lines.append(f"interrupted: {overview.interrupted}; run the same command to continue")
    if rate := _rate_line(overview):
        lines.append(rate)
    if overview.failures:
        kinds = ", ".join(f"{kind} {count}" for kind, count in overview.failure_classes.most_common())
        lines.append(f"failures: {kinds}; `facepipe failures` lists them")
    total = sum(stage.seconds.sum for stage in overview.stages.values())
    slow = sorted(overview.stages.items(), key=lambda pair: -pair[1].seconds.sum)[:SLOWEST]
    if total:
        lines.append("slowest: " + ", ".join(f"{name} {stage.seconds.sum / total:.0%}" for name, stage in slow))
    if overview.remarked:
        codes = ", ".join(f"{code} {count}" for code, count in overview.remark_codes.most_common())
        lines.append(f"notes: {codes}; `facepipe stats --notes` says which items")
    if overview.frames:
        share = f"{overview.lost} frames without a face, in {overview.items_with_lost} items"
        lines.append(f"rendered: {overview.frames} frames; {share}")
    return lines


def _rate_line(overview: Overview) -> str:
    """Return the rate of the live workers and the time left, or the rate of the last run; "" if it is not known."""
    from facepipe.engine.progress import duration_text, rate_text

    rate = rate_text(overview.items_per_second) if overview.items_per_second else ""
    if not overview.workers:
        return f"rate of the last run: {rate}" if rate else ""
    left = f", {duration_text(overview.seconds_left)} left" if overview.seconds_left is not None else ""
    workers = f"{overview.workers} live worker{'s' * (overview.workers != 1)}"
    return f"rate: {rate or 'not known yet'} with {workers}{left}"


def read(work: Path | None, *, notes: bool = False) -> Overview:
    """Return the overview of the batch in a work folder. Raises UsageError if there is none."""
    from facepipe.batch.overview_reader import has_batch, read_overview

    folder = folder_of(work)
    if not has_batch(folder):
        raise UsageError(
            f"{folder} contains no batch; give the folder that was --work of `facepipe batch`: facepipe status WORK"
        )
    return read_overview(folder, notes=notes)


def _line(one: Failure) -> str:
    from facepipe.engine.progress import printable

    temporary = "" if one.permanent else ", temporary"
    where = f" in {one.stage}" if one.stage else ""
    tries = f"{one.attempts} tries" if one.attempts > 1 else "1 try"
    message = "; ".join(one.message.splitlines())
    return printable(f"{one.kind:<12}{one.label}{where} ({tries}{temporary}): {message}")


def _as_json(one: Failure) -> dict[str, Any]:
    content = asdict(one)
    return {"schema": 1, **content, "item": one.item.as_json() if one.item else None}


def _stage_json(stage: StageTotal) -> dict[str, Any]:
    seconds = stage.seconds
    bounds = {"min": seconds.minimum, "max": seconds.maximum} if seconds.count else {}
    return {
        "made": stage.made,
        "kept": stage.skipped,
        "frames": stage.frames,
        "seconds": {"count": seconds.count, "mean": seconds.mean, "std": seconds.std, **bounds},
    }


def _stage_line(stage: StageTotal) -> str:
    seconds = stage.seconds
    if not seconds.count:
        return f"{stage.made:>9}{stage.skipped:>9}{'':>46}"
    rate = stage.frames / seconds.sum if seconds.sum else 0.0
    figures = (seconds.mean, seconds.std, seconds.minimum, seconds.maximum)
    return f"{stage.made:>9}{stage.skipped:>9}" + "".join(f"{value:>9.2f}" for value in figures) + f"{rate:>10.1f}"
