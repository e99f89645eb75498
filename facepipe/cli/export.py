"""`facepipe export`: a head as files that other programs run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from facepipe.cli import arguments as a
from facepipe.cli.completion import completing
from facepipe.cli.guard import Verbose
from facepipe.cli.jobs import Running, report_results, run_job

if TYPE_CHECKING:
    from facepipe.engine import Job
    from facepipe.export.export import Exported

RENDERER, NETWORK = "bilayer", "bilayer-official"
app = typer.Typer(help="Export heads for other programs.", rich_markup_mode=None, no_args_is_help=True)

Source = Annotated[
    Path,
    typer.Argument(
        help="The portrait: a picture, or a video of which one frame is used.", show_default=False, readable=False
    ),
]
Out = Annotated[Path, typer.Option("-o", "--out", help="Folder of the avatar.", show_default=False, readable=False)]
Precisions = Annotated[
    Literal["all", "fp32", "fp16", "int8"],
    typer.Option(help="Precision of the model: fp32, fp16, int8 (quantised, calibrated with the head in motion), all."),
]
Weights = Annotated[
    str,
    typer.Option(help="Registered network of the published form.", autocompletion=completing("weights")),
]
Face = Annotated[
    str, typer.Option(help="Face to use: largest, left, right, N for the N-th from the left, or PATH.jpg.")
]
SourceFrame = Annotated[str, typer.Option(help="Frame of a source video: best, or a frame number from 0.")]


@app.command()
def bilayer(
    source: Source,
    out: Out,
    precision: Precisions = "all",
    weights: Weights = NETWORK,
    face: Face = "largest",
    source_frame: SourceFrame = "best",
    overwrite: a.Overwrite = False,
    as_json: a.AsJson = False,
    log_file: a.LogFile = None,
    quiet: a.Quiet = False,
    work: a.Work = None,
    _verbose: Verbose = False,
) -> None:
    """Export the head of SOURCE: a network from keypoints to warp and mask (ONNX), a texture, and a small sampler.

    Each precision is run in ONNX Runtime and compared with torch; size, difference and speed are printed. Needs the
    packages of `pip install 'facepipe[export]'`. docs/export.md describes the files.
    """
    from facepipe.config import load_settings
    from facepipe.export.export import export
    from facepipe.export.models import FILES
    from facepipe.media.limits import MediaLimits
    from facepipe.pipeline.rendering import options_for
    from facepipe.requests.rules import check_settings, check_source_frame

    check_source_frame(source_frame)
    settings = load_settings(flags={"work.folder": str(work) if work else None, "face.face": face})
    check_settings(settings)
    options = options_for(
        RENDERER,
        weights=weights,
        face=settings.face.face,
        landmarker=settings.face.landmarker,
        source_frame=source_frame,
        overwrite=overwrite,
        limits=MediaLimits(settings.media.max_pixels, settings.media.max_duration_seconds),
    )
    running = Running(None, False, as_json, quiet, log_file)
    made: list[Exported] = []
    precisions = [one for one in FILES if precision in ("all", one)]

    def body(job: Job) -> None:
        made.append(export(job, source, out, options, precisions))

    identity = {"command": "export bilayer", "source": str(source.absolute()), "out": str(out.absolute())}
    run_job(identity, Path(settings.work.folder), body, running)
    _print_checks(made[0], as_json=as_json, quiet=quiet)
    report_results([out], running)


def _print_checks(made: Exported, *, as_json: bool, quiet: bool) -> None:
    """Print what the models compute and how fast: JSON to stdout, or text to stderr."""
    for check in made.checks:
        if as_json:
            typer.echo(json.dumps({"schema": 1, "event": "check", **check.as_json()}))
        elif not quiet or check.wrong or check.slower:
            print(check.text, file=sys.stderr)
