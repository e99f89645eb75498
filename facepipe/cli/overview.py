"""`facepipe failures`, `stats` and `report`, and what `status` says of a batch: all read from the folder alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facepipe.cli import arguments as a
from facepipe.cli.folders import AsJson, Folder, folder_of, size_text
from facepipe.cli.guard import Verbose
from facepipe.errors import UsageError

if TYPE_CHECKING:
    from facepipe.batch.overview import Failure, Overview, StageTotal

Classes = Annotated[
    list[str] | None, typer.Option("--class", help="Only failures of this class. May be repeated.", metavar="CLASS")
]
SLOWEST = 4


def failures(
    work: Folder = None,
    classes: Classes = None,
    details: Annotated[bool, typer.Option("--details", help="Also print what the programs behind said last.")] = False,
    as_json: AsJson = False,
    _verbose: Verbose = False,
) -> None:
    """Print the failed items of a batch: class, stage, tries and reason. `facepipe retry` makes them again."""
    overview = read(work)
    found = [one for one in overview.failures.values() if not classes or one.kind in classes]
    for one in sorted(found, key=lambda one: (one.kind, one.label)):
        typer.echo(json.dumps(_as_json(one), sort_keys=True) if as_json else _line(one))
        if details and one.detail and not as_json:
            typer.echo("\n".join(f"    {line}" for line in one.detail.splitlines()))
    if not found and not as_json:
        typer.echo("no failures")


def stats(work: Folder = None, as_json: AsJson = False, _verbose: Verbose = False) -> None:
    """Print what the items of a batch took: time and frames by stage, faces lost, size of the results."""
    overview = read(work)
    total = sum(stage.seconds.sum for stage in overview.stages.values()) or 1.0
    if as_json:
        stages = {name: _stage_json(stage) for name, stage in overview.stages.items()}
        typer.echo(json.dumps({**overview.as_json(), "stages": stages}, sort_keys=True))
        return
    typer.echo(
        f"{'stage':<14}{'made':>9}{'kept':>9}{'mean s':>9}{'spread':>9}{'least':>9}{'most':>9}{'frames/s':>10}  share"
    )
    for name, stage in sorted(overview.stages.items(), key=lambda pair: -pair[1].seconds.sum):
        typer.echo(f"{name:<14}{_stage_line(stage)}  {stage.seconds.sum / total:.0%}")
    items = overview.seconds
    if items.count:
        typer.echo(
            f"{items.count} tries: {items.mean:.2f} s each (spread {items.spread:.2f}, {items.least:.2f} to "
            f"{items.most:.2f}); {overview.frames} frames, {overview.lost} without a face; "
            f"{size_text(overview.bytes)} of results"
        )


def report(
    work: Folder = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The page (default: report.html).", readable=False)
    ] = None,
    stills: Annotated[int, typer.Option("--stills", help="How many pictures of good and of failed items.", min=0)] = 12,
    overwrite: a.Overwrite = False,
    _verbose: Verbose = False,
) -> None:
    """Write one page (HTML, without anything to load) on a batch: plots, pictures, and a table that can be filtered."""
    import os

    from facepipe.batch.overview_reader import read_overview
    from facepipe.batch.report import MARK, write_report

    folder, out = folder_of(work), out or Path("report.html")
    read(work)
    if out.is_dir() or (out.exists() and not overwrite and MARK not in out.read_text("utf-8", "replace")[:200]):
        raise UsageError(f"{out}: exists and is no report of facepipe; choose another name with -o, or say --overwrite")
    write_report(folder, out, stills=stills, read=read_overview)
    typer.echo(os.fsencode(out))


def print_status(folder: Path, *, as_json: bool) -> None:
    """Print how a batch stands."""
    from facepipe.batch.overview_reader import read_overview
    from facepipe.engine.progress import printable

    overview = read_overview(folder)
    if as_json:
        typer.echo(json.dumps(overview.as_json(), sort_keys=True))
        return
    for line in status_lines(overview):
        typer.echo(printable(line))


def status_lines(overview: Overview) -> list[str]:
    """Return how a batch stands, in words."""
    from facepipe.engine.progress import duration_text

    counts = {name: getattr(overview, name) for name in ("done", "failed", "running", "waiting")}
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "done")
    lines = [f"{overview.work}: {overview.total} items: {told}"]
    for name, run in overview.lists.items():
        shard = f", shard {run['rank']} of {run['world']}" if int(run.get("world", 1)) > 1 else ""
        lines.append(f"  {name}: {run.get('items')} items, last with {run.get('workers')} x {run.get('engine')}{shard}")
    if overview.broken_off:
        lines.append(f"broken off: {overview.broken_off}; the same command takes them up again")
    if overview.workers or overview.items_per_second:
        speed = overview.items_per_second
        rate = f"{speed:.1f} items/s" if speed >= 1 else f"{speed * 60:.1f} items/min"
        left = f", {duration_text(overview.seconds_left)} left" if overview.seconds_left is not None else ""
        lines.append(f"rate: {rate} by {overview.workers} live workers{left}")
    if overview.failures:
        kinds = ", ".join(f"{kind} {count}" for kind, count in overview.failure_classes.most_common())
        lines.append(f"failures: {kinds}; `facepipe failures` tells which")
    total = sum(stage.seconds.sum for stage in overview.stages.values())
    slow = sorted(overview.stages.items(), key=lambda pair: -pair[1].seconds.sum)[:SLOWEST]
    if total:
        lines.append("slowest: " + ", ".join(f"{name} {stage.seconds.sum / total:.0%}" for name, stage in slow))
    if overview.frames:
        share = f"{overview.lost} frames without a face, in {overview.items_with_lost} items"
        lines.append(f"rendered: {overview.frames} frames; {share}")
    return lines


def read(work: Path | None) -> Overview:
    """Return how the batch of a folder stands. Raises UsageError where there is none."""
    from facepipe.batch.overview_reader import has_batch, read_overview

    folder = folder_of(work)
    if not has_batch(folder):
        raise UsageError(f"{folder} holds no batch; name the work folder that `facepipe batch` was given with --work")
    return read_overview(folder)


def _line(one: Failure) -> str:
    from facepipe.engine.progress import printable

    passing = "" if one.permanent else ", may pass"
    where = f" in {one.stage}" if one.stage else ""
    tries = f"{one.attempts} tries" if one.attempts > 1 else "1 try"
    said = "; ".join(one.message.splitlines())
    return printable(f"{one.kind:<12}{one.label}{where} ({tries}{passing}): {said}")


def _as_json(one: Failure) -> dict[str, Any]:
    content = asdict(one)
    return {"schema": 1, **content, "item": one.item.as_json() if one.item else None}


def _stage_json(stage: StageTotal) -> dict[str, Any]:
    seconds = stage.seconds
    bounds = {"least": seconds.least, "most": seconds.most} if seconds.count else {}
    return {
        "made": stage.made,
        "kept": stage.skipped,
        "frames": stage.frames,
        "seconds": {"count": seconds.count, "mean": seconds.mean, "spread": seconds.spread, **bounds},
    }


def _stage_line(stage: StageTotal) -> str:
    seconds = stage.seconds
    if not seconds.count:
        return f"{stage.made:>9}{stage.skipped:>9}{'':>46}"
    rate = stage.frames / seconds.sum if seconds.sum else 0.0
    figures = (seconds.mean, seconds.spread, seconds.least, seconds.most)
    return f"{stage.made:>9}{stage.skipped:>9}" + "".join(f"{value:>9.2f}" for value in figures) + f"{rate:>10.1f}"
