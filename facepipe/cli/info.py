"""The command `info`: what a stream (.fpv) contains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from facepipe.cli.arguments import Quiet
from facepipe.cli.guard import Verbose


def info(
    stream: Annotated[Path, typer.Argument(help="The stream (.fpv); - for stdin.", metavar="STREAM", readable=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    _quiet: Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Print what a stream (.fpv) contains: size, rate, key frames, and bits per second. Nothing is drawn."""
    import sys

    from facepipe.coding.summary import summary_of
    from facepipe.errors import InputError
    from facepipe.media.files import check_input

    try:
        if str(stream) == "-":
            summary = summary_of(sys.stdin.buffer)
        else:
            check_input(stream)
            with stream.open("rb") as file:
                summary = summary_of(file)
    except InputError as error:
        raise InputError(f"{'stdin' if str(stream) == '-' else stream}: {error}") from error
    typer.echo(json.dumps(summary.as_json(), indent=2) if as_json else "\n".join(summary.lines()))
