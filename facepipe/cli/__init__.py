"""The command line: reads arguments, calls, prints.

Each file holds a group of commands. Heavy modules (torch, OpenCV, numba, and everything that imports them) are imported
inside the command functions, so that `facepipe --help` is fast.
"""

from typing import Annotated

import typer

from facepipe import __version__
from facepipe.cli import (
    avatar,
    batch,
    bench,
    convert,
    dataset,
    doctor,
    evaluate,
    explain,
    export,
    info,
    overview,
    train,
    weights,
    work,
)
from facepipe.cli.arguments import Quiet
from facepipe.cli.commands import command_of, plan_command
from facepipe.cli.guard import Guarded, Verbose, with_lost_output
from facepipe.cli.help import Grouped
from facepipe.device import let_threads_sleep
from facepipe.requests import REQUESTS
from facepipe.streams import secure_streams

app = typer.Typer(
    cls=Guarded,
    name="facepipe",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"facepipe {__version__}")
        raise typer.Exit


@app.callback()
def facepipe(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    _quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Animate a portrait from a driving video, a voice, or sliders.

    Exit codes: 0 success, 1 bug in facepipe, 2 wrong usage, 3 missing prerequisite, 4 some items failed, 5 too many
    failures, 75 try again later, 130 interrupted, 141 the reader of the output closed the pipe.
    """


# The help lists the commands in this order.
for _name, _request in REQUESTS.items():
    app.command(_name)(command_of(_request))
app.command("info")(info.info)
app.command("convert")(convert.convert)
app.command("plan")(plan_command())
app.command("explain")(explain.explain)
app.command("batch")(batch.batch)
app.command("retry")(batch.retry)
app.command("status")(work.status)
app.command("failures")(overview.failures)
app.command("stats")(overview.stats)
app.command("report")(overview.report)
app.command("clean")(work.clean)
app.command("config")(work.config)
app.command("doctor")(doctor.doctor)
app.command("evaluate")(evaluate.evaluate)
app.command("bench")(bench.bench)
app.add_typer(weights.app, name="weights")
app.add_typer(dataset.app, name="dataset")
app.add_typer(train.app, name="train")
app.add_typer(export.app, name="export")
app.add_typer(avatar.app, name="avatar")


for _group in (app, weights.app, dataset.app, train.app, export.app, avatar.app):
    for _command in _group.registered_commands:
        _command.cls = Grouped


def main() -> None:
    """Run the program and end it with its exit code."""
    secure_streams()
    let_threads_sleep()
    try:
        app()
    except SystemExit as end:
        raise SystemExit(with_lost_output(end.code)) from None
