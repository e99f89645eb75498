"""`facepipe evaluate`: the quality of results as metrics, plots and stills."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facepipe.cli import arguments as a
from facepipe.cli.completion import completing
from facepipe.cli.guard import Verbose
from facepipe.errors import FailedItemsError, UsageError

if TYPE_CHECKING:
    from facepipe.evaluate.figures import Figures
    from facepipe.evaluate.run import Outcome

Manifest = Annotated[
    Path,
    typer.Argument(
        help="CSV or JSONL file with the columns driver, source and result; a folder of videos; or a folder with a "
        "sources.tsv.",
        readable=False,
    ),
]
TaskFlag = Annotated[
    str,
    typer.Option(
        "--task",
        help="same: a clip is reenacted from its own first frame. cross: another person's portrait is reenacted. "
        "audio: motion is generated from the sound. codec: a clip is encoded and decoded, beside classical codecs.",
        metavar="same|cross|audio|codec",
        autocompletion=completing("task"),
    ),
]
Renderer = Annotated[
    str | None,
    typer.Option(
        help="Renderer to evaluate for cases without a result in the manifest (default: from the settings).",
        autocompletion=completing("picture_renderer"),
    ),
]
Weights = Annotated[
    str,
    typer.Option(
        "--weights",
        help="Registered network for the renderer (default: its own).",
        autocompletion=completing("weights"),
    ),
]
OutFolder = Annotated[
    Path | None,
    typer.Option("-o", "--out", help="Folder of the report (default: NAME--TASK).", show_default=False, readable=False),
]
Teacher = Annotated[
    Path | None,
    typer.Option(
        help="Python interpreter of an environment with MediaPipe, whose landmarks are then used for the correlations.",
        readable=False,
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        help="For --task audio: folder with the labels of MANIFEST, made by tools/label_with_mediapipe.py.",
        readable=False,
    ),
]
Frames = Annotated[int, typer.Option(help="Number of evaluated frames per clip, evenly spaced; 0 for all.", min=0)]
FromSecond = Annotated[
    float,
    typer.Option(
        help="Second of each clip from which frames are evaluated; for --task same its frame is the source. For a "
        "network that was trained on the seconds before.",
        min=0.0,
        metavar="SECONDS",
    ),
]
Size = Annotated[
    int, typer.Option(help="Width and height in pixels of the rendered and evaluated frames.", min=64, max=1024)
]
DEFAULT_SIZE = 256
_OTHER_TASKS = {
    "audio": {"--labels"},
    "codec": {"--out", "--overwrite", "--teacher", "--json"},
}
"""Tasks without results of a renderer, and the options that each uses."""
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Write into an existing folder that is not a report.")]


def evaluate(
    manifest: Manifest,
    task: TaskFlag = "same",
    renderer: Renderer = None,
    weights: Weights = "",
    out: OutFolder = None,
    teacher: Teacher = None,
    labels: Labels = None,
    frames: Frames = 0,
    from_second: FromSecond = 0.0,
    size: Size = DEFAULT_SIZE,
    work: a.Work = None,
    overwrite: Overwrite = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Compare the results of a renderer, or finished videos, with their drivers; print metrics and write a report.

    Results are made by the stages of `facepipe reenact`, which store their files in the work folder. OUT receives
    clips.csv, summary.json, report.html, and the compared clips. docs/evaluation.md explains all metrics.

    Exit code 4 if some cases could not be evaluated.
    """
    from facepipe.device import set_threads
    from facepipe.evaluate.manifest import read_cases
    from facepipe.evaluate.run import check_out
    from facepipe.evaluate.run import evaluate as run
    from facepipe.evaluate.staging import Setting

    report_line = (lambda _: None) if quiet else _print_line
    if task in _OTHER_TASKS:
        given = {"--renderer": renderer, "--weights": weights, "--out": out, "--overwrite": overwrite, "--work": work}
        more = {"--teacher": teacher, "--frames": frames, "--from-second": from_second, "--json": as_json}
        rest = {"--labels": labels, "--size": size != DEFAULT_SIZE}
        _evaluate_otherwise(task, manifest, {**given, **more, **rest}, report_line)
        return
    _check_task(task, size, labels)
    chosen, folder = _chosen(renderer, weights, work)
    cases = read_cases(manifest, task)  # type: ignore[arg-type]
    setting = Setting(task, chosen, weights, size, frames, from_second)  # type: ignore[arg-type]
    out = out or Path(f"{manifest.absolute().stem}--{task}")
    check_out(out, overwrite=overwrite)
    set_threads()
    outcome = run(cases, setting, out, folder, teacher=teacher, report_line=report_line)
    _print_outcome(outcome, out, as_json=as_json)
    if outcome.failures:
        raise FailedItemsError(outcome.failures)


def _print_line(line: str) -> None:
    from facepipe.engine.progress import printable

    print(printable(line), file=sys.stderr, flush=True)


def _check_task(task: str, size: int, labels: Path | None) -> None:
    """Raise UsageError for an unknown task, an option that it does not use, or an odd size."""
    if task not in ("same", "cross"):
        raise UsageError(f"--task is {task!r}, expected same, cross, audio or codec")
    _check_unused(task, {"--labels": labels})
    if size % 2:
        raise UsageError(f"--size is {size}; video needs an even number. Take {size + 1}.")


def _evaluate_otherwise(
    task: str, manifest: Path, given: Mapping[str, Any], report_line: Callable[[str], None]
) -> None:
    """Evaluate what needs no renderer. `given` holds the options by flag."""
    from facepipe.cli.codec_evaluation import evaluate_codec

    _check_unused(task, given, used=_OTHER_TASKS[task])
    if task == "audio":
        _evaluate_audio(manifest, given["--labels"])
        return
    evaluate_codec(
        manifest,
        given["--out"],
        teacher=given["--teacher"],
        overwrite=given["--overwrite"],
        as_json=given["--json"],
        report_line=report_line,
    )


def _check_unused(task: str, flags: Mapping[str, object], used: Collection[str] = ()) -> None:
    """Raise UsageError if an option is given that is not among those that the task uses."""
    if given := ", ".join(name for name, value in flags.items() if value and name not in used):
        raise UsageError(f"--task {task} does not use {given}; leave it out")


def _chosen(renderer: str | None, weights: str, work: Path | None) -> tuple[str, Path]:
    """Return the renderer (the given one, else that of the weights, else that of the settings) and the work folder."""
    from facepipe.config import load_settings
    from facepipe.pipeline.networks import renderer_for
    from facepipe.renderers import PICTURE_RENDERERS, RENDERERS, check_of_pictures
    from facepipe.settings import DEFAULT

    settings = load_settings(flags={"work.folder": str(work) if work else None})
    chosen = renderer or settings.render.renderer
    if not renderer and settings.origin("render.renderer") == DEFAULT:
        chosen = renderer_for(weights, "auto", default=chosen)
    if chosen not in RENDERERS:
        raise UsageError(f"--renderer is {chosen!r}; expected one of {', '.join(PICTURE_RENDERERS)}")
    check_of_pictures(chosen)
    return chosen, Path(settings.work.folder)


def _print_outcome(outcome: Outcome, out: Path, *, as_json: bool) -> None:
    """Print the summary as JSON, or the metrics and the path of the report."""
    from facepipe.evaluate.report import PAGE, SUMMARY

    if as_json:
        typer.echo((out / SUMMARY).read_text(encoding="utf-8").rstrip())
    else:
        print_figures(outcome.figures, outcome.missing)
        typer.echo(os.fsencode(out / PAGE))


def print_figures(figures: Figures, missing: dict[str, str]) -> None:
    """Print the metrics, the means of all candidates, and the measures whose networks are missing."""
    from rich.console import Console
    from rich.table import Table

    from facepipe.evaluate.measures import MEASURES
    from facepipe.evaluate.page import value_text
    from facepipe.evaluate.report import notes_on

    console = Console(width=None if sys.stdout.isatty() else 140)
    table = Table("metric", "measured", "threshold", "", box=None, pad_edge=False)
    for one in figures.metrics:
        table.add_row(one.name, one.measured, one.threshold, "met" if one.met else "not met")
    console.print(table)
    names = list(figures.means)
    means = Table("mean over clips", *names, box=None, pad_edge=False)
    for measure, about in MEASURES.items():
        if any(measure in figures.means[name] for name in names):
            means.add_row(
                about.title, *(value_text(measure, figures.means[name].get(measure, float("nan"))) for name in names)
            )
    if figures.fid:
        means.add_row(
            f"FID, {figures.fid_pictures} pictures", *(f"{figures.fid.get(name, float('nan')):.2f}" for name in names)
        )
    if "teacher" in figures.correlations:
        means.add_row("frames in which the teacher finds a face, %", f"{100 * figures.seen_by_teacher:.1f}")
        for one_name, (pooled, each) in figures.correlations["own"].items():
            means.add_row(f"correlation of {one_name}, embedded landmarker", f"{pooled:.3f} ({each:.3f})")
    console.print()
    console.print(means)
    for note in notes_on(missing, [], inside_matte=figures.inside_matte):
        console.print(note, soft_wrap=True)


def _evaluate_audio(data: Path, labels: Path | None) -> None:
    """Print how well generated motion matches the sound, on speakers that no training used."""
    import tempfile

    from facepipe.evaluate.audio import evaluate as run
    from facepipe.weights import find

    if labels is None:
        raise UsageError(
            "--task audio needs --labels FOLDER; tools/label_with_mediapipe.py makes the labels from MANIFEST"
        )
    with tempfile.TemporaryDirectory(prefix="facepipe-") as cache:
        lines = run(data, labels, Path(cache), find("audio").path, find("face-model").path)
    typer.echo("\n".join(lines))
