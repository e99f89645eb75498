"""`facepipe bench`: speed, start-up time and memory on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facepipe.cli import arguments as a
from facepipe.cli.completion import completing
from facepipe.cli.guard import Verbose
from facepipe.errors import ToolError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from facepipe.bench.metric import Metric

FOLDER = "bench"


def bench(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[renderer [NAME]...|batch]",
            help="Measure something other than the whole job. renderer: only the network of renderers, fast inference "
            "against the plain form; by default of all that have a benchmark. batch: the overhead of a batch, with a "
            "trivial stage.",
            show_default=False,
        ),
    ] = None,
    clip: Annotated[Path | None, typer.Option("--clip", help="Clip to measure with. Default: a generated one.")] = None,
    renderer: Annotated[
        str | None,
        typer.Option(
            "--renderer",
            help="Renderer of the whole job (default: from the settings).",
            autocompletion=completing("picture_renderer"),
        ),
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", help="Repeats of each measurement.", min=1)] = 3,
    long: Annotated[bool, typer.Option("--long", help="Also run the clip repeated ten times.")] = False,
    items: Annotated[int, typer.Option("--items", help="For batch: items in a new and in a finished list.")] = 20_000,
    executed: Annotated[int, typer.Option("--executed", help="For batch: items to execute.")] = 20_000,
    max_items: Annotated[int, typer.Option("--max-items", help="For batch: largest list to plan.")] = 1_000_000,
    reenactments: Annotated[int, typer.Option("--reenactments", help="For batch: real reenactments.", min=0)] = 40,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    work: a.Work = None,
    _quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Measure speed, start-up time and memory on this machine, and print the median of the repeats.

    Takes some minutes. Some metrics have a threshold; the exit code is 0 even if it is not met.
    """
    if what == ["batch"]:
        sizes = {"items": items, "executed": executed, "max_items": max_items}
        _bench_batch(sizes, reenactments, as_json=as_json, work=work)
    elif what:
        _bench_renderers(what, repeats=repeats, as_json=as_json)
    else:
        _bench_program(clip, renderer, repeats=repeats, long=long, as_json=as_json, work=work)


def _bench_renderers(what: list[str], *, repeats: int, as_json: bool) -> None:
    from facepipe.bench.machine import describe_machine
    from facepipe.bench.networks import measurable, measure
    from facepipe.device import set_threads

    known = measurable()
    names = what[1:] or known
    if what[0] != "renderer" or not set(names) <= set(known):
        raise UsageError(
            f"bench cannot measure {' '.join(what)}; expected batch, or renderer with any of {', '.join(known)}"
        )
    threads = set_threads()
    _print_machine({**describe_machine(), "threads": threads, "repeats": repeats}, as_json=as_json)
    for name in names:
        try:
            metrics = measure(name, repeats)
        except ToolError as error:
            if what[1:]:
                raise
            # Of all renderers, one may need a package that is not installed.
            typer.echo(f"facepipe: {name} is not measured: {error}", err=True)
            continue
        _print_metrics(metrics, as_json=as_json)


def _bench_batch(sizes: Mapping[str, int], reenactments: int, *, as_json: bool, work: Path | None) -> None:
    import os
    import shutil

    from facepipe.bench.batch import measure_batch
    from facepipe.bench.machine import describe_machine
    from facepipe.bench.scaling import measure_scaling
    from facepipe.config import load_settings

    settings = load_settings(flags={"work.folder": str(work) if work else None})
    folder = Path(settings.work.folder).absolute() / FOLDER / "batch"
    load = " ".join(f"{value:.1f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    _print_machine({**describe_machine(), "load": load}, as_json=as_json)
    _print_metrics(measure_batch(folder, **sizes), as_json=as_json)
    if reenactments:
        _print_metrics(measure_scaling(folder / "real", reenactments), as_json=as_json)
    shutil.rmtree(folder, ignore_errors=True)


def _print_machine(about: dict[str, object], *, as_json: bool) -> None:
    import json

    typer.echo(json.dumps({"schema": 2, "machine": about}) if as_json else heading(about))


def _print_metrics(metrics: Iterable[Metric], *, as_json: bool) -> None:
    import json

    for metric in metrics:
        typer.echo(json.dumps(metric.as_json()) if as_json else line_of(metric))


def _bench_program(
    clip: Path | None, renderer: str | None, *, repeats: int, long: bool, as_json: bool, work: Path | None
) -> None:
    from facepipe.bench.clip import longer, prepare_material
    from facepipe.bench.machine import describe_machine
    from facepipe.bench.parts import measure_parts
    from facepipe.bench.whole import measure_long, measure_programs, measure_warm
    from facepipe.config import load_settings
    from facepipe.media.files import check_input
    from facepipe.pipeline.rendering import check_weights, options_for
    from facepipe.renderers import check_of_pictures

    settings = load_settings(flags={"work.folder": str(work) if work else None, "render.renderer": renderer})
    folder, renderer = Path(settings.work.folder).absolute() / FOLDER, settings.render.renderer
    # Fail before minutes are spent.
    check_of_pictures(renderer)
    check_weights(options_for(renderer))
    if clip:
        check_input(clip)

    material = prepare_material(folder, clip)
    about = {**describe_machine(), "clip": str(material.clip), "frames": material.frames, "renderer": renderer}
    about["repeats"] = repeats
    _print_machine(about, as_json=as_json)
    metrics, cold = measure_programs(material, folder, renderer, repeats=repeats)
    _print_metrics(metrics, as_json=as_json)
    metrics, folders = measure_warm(material, folder, renderer, repeats=repeats)
    _print_metrics(metrics, as_json=as_json)
    _print_metrics(measure_parts(material, folders, renderer, repeats=repeats), as_json=as_json)
    if long:
        _print_metrics(measure_long(longer(material, folder), folder, renderer, cold), as_json=as_json)


def heading(about: dict[str, object]) -> str:
    """Return the description of machine and inputs, and the header of the table."""
    lines = [f"{name.replace('_', ' '):<10}{value}" for name, value in about.items()]
    return "\n".join([*lines, "", f"{'':<38}{'median':>10} {'':<9}{'min to max':>20}{'CPU s':>8}  threshold"])


def line_of(metric: Metric) -> str:
    """Return a row of the table."""
    low, high = min(metric.values), max(metric.values)
    cpu = "" if metric.cpu_seconds is None else f"{metric.cpu_seconds:.2f}"
    threshold = ""
    if metric.threshold:
        met = "met" if metric.threshold.met(metric.median) else "NOT met"
        threshold = f"{'>=' if metric.threshold.kind == 'at least' else '<='} {metric.threshold.limit:g}, {met}"
    spread = f"{low:.2f} to {high:.2f}"
    return f"{metric.name:<38}{metric.median:>10.2f} {metric.unit:<9}{spread:>20}{cpu:>8}  {threshold}".rstrip()
