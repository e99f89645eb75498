"""`facepipe bench`: how fast facepipe is here, and how much memory it takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facepipe.cli import arguments as a
from facepipe.cli.guard import Verbose
from facepipe.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from facepipe.bench.metric import Metric

FOLDER = "bench"


def bench(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[renderer [NAME]...|batch]",
            help="Measure renderers' networks alone, each against its plain form: all that can be, or those named; or "
            "the machinery of a batch, with a stage that makes next to nothing.",
            show_default=False,
        ),
    ] = None,
    clip: Annotated[
        Path | None, typer.Option("--clip", help="Measure this clip instead of the one that facepipe makes.")
    ] = None,
    renderer: Annotated[
        str | None, typer.Option("--renderer", help="What draws in the whole job.", show_default="that of the settings")
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", help="How often each thing is measured.", min=1)] = 3,
    long: Annotated[bool, typer.Option("--long", help="Also run the clip ten times over, for its memory.")] = False,
    items: Annotated[int, typer.Option("--items", help="Of a batch: how many are planned and found done.")] = 20_000,
    executed: Annotated[int, typer.Option("--executed", help="Of a batch: how many are really made.")] = 20_000,
    most: Annotated[int, typer.Option("--most", help="Of a batch: up to how many are planned.")] = 1_000_000,
    reenactments: Annotated[int, typer.Option("--reenactments", help="Of a batch: how many real ones.", min=0)] = 40,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    work: a.Work = None,
    _verbose: Verbose = False,
) -> None:
    """Measure and print speed, start-up and memory, with the hardware named: the median of the repeats.

    Takes some minutes. The exit code is 0 whatever the metrics say; a column tells whether each threshold was met.
    """
    if what == ["batch"]:
        sizes = {"items": items, "executed": executed, "most": most}
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
            f"bench cannot measure {' '.join(what)}; expected batch, or renderer and none or some of {', '.join(known)}"
        )
    threads = set_threads()
    _tell_machine({**describe_machine(), "threads": threads, "repeats": repeats}, as_json=as_json)
    for name in names:
        _tell(measure(name, repeats), as_json=as_json)


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
    _tell_machine({**describe_machine(), "load": load}, as_json=as_json)
    _tell(measure_batch(folder, **sizes), as_json=as_json)
    if reenactments:
        _tell(measure_scaling(folder / "real", reenactments), as_json=as_json)
    shutil.rmtree(folder, ignore_errors=True)


def _tell_machine(about: dict[str, object], *, as_json: bool) -> None:
    import json

    typer.echo(json.dumps({"schema": 1, "machine": about}) if as_json else heading(about))


def _tell(metrics: Iterable[Metric], *, as_json: bool) -> None:
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

    settings = load_settings(flags={"work.folder": str(work) if work else None, "render.renderer": renderer})
    folder, renderer = Path(settings.work.folder).absolute() / FOLDER, settings.render.renderer
    # Before minutes are spent: what it draws with must be here.
    check_weights(options_for(renderer))
    if clip:
        check_input(clip)

    material = prepare_material(folder, clip)
    about = {**describe_machine(), "clip": str(material.clip), "frames": material.frames, "renderer": renderer}
    about["repeats"] = repeats
    _tell_machine(about, as_json=as_json)
    metrics, cold = measure_programs(material, folder, renderer, repeats=repeats)
    _tell(metrics, as_json=as_json)
    metrics, made = measure_warm(material, folder, renderer, repeats=repeats)
    _tell(metrics, as_json=as_json)
    _tell(measure_parts(material, made, renderer, repeats=repeats), as_json=as_json)
    if long:
        _tell(measure_long(longer(material, folder), folder, renderer, cold), as_json=as_json)


def heading(about: dict[str, object]) -> str:
    """Return what was measured on what, and the heads of the columns."""
    lines = [f"{name.replace('_', ' '):<10}{value}" for name, value in about.items()]
    return "\n".join([*lines, "", f"{'':<38}{'median':>10} {'':<9}{'lowest to highest':>20}{'CPU s':>8}  threshold"])


def line_of(metric: Metric) -> str:
    """Return one line of the table."""
    low, high = min(metric.values), max(metric.values)
    cpu = "" if metric.cpu_seconds is None else f"{metric.cpu_seconds:.2f}"
    threshold = ""
    if metric.threshold:
        met = "met" if metric.threshold.met(metric.median) else "NOT met"
        threshold = f"{'>=' if metric.threshold.kind == 'at least' else '<='} {metric.threshold.at:g}, {met}"
    spread = f"{low:.2f} to {high:.2f}"
    return f"{metric.name:<38}{metric.median:>10.2f} {metric.unit:<9}{spread:>20}{cpu:>8}  {threshold}".rstrip()
