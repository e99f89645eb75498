"""`facepipe weights`: list, verify, fetch and add weights."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facepipe.cli import arguments as a
from facepipe.cli.completion import complete_weights, completing
from facepipe.cli.guard import Verbose
from facepipe.errors import PrecheckError, UsageError, WeightsError
from facepipe.spaces import SPACES

if TYPE_CHECKING:
    from facepipe.weights import Weight

app = typer.Typer(help="List, verify, fetch and add weights.", rich_markup_mode=None, no_args_is_help=True)

SECONDS_BETWEEN_LINES = 5.0


def describe(weight: "Weight", state: str) -> str:
    """Return a weight as a line of the tables of `weights list`, `weights verify` and `doctor`."""
    size = f"{weight.bytes / 1e6:.1f} MB"
    return f"{weight.name:<24}{state:<12}{size:>10}  {weight.licence:<16}{weight.space or '-':<10}{weight.sha256}"


@app.command("list")
def list_weights(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line and weight.")] = False,
    _quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Print all registered weights: name, presence, size, licence, motion space, digest. Only registries are read."""
    import json
    from dataclasses import asdict

    from facepipe.weights import locate, registered

    for weight in registered().values():
        paths = locate(weight)
        if as_json:
            typer.echo(json.dumps({"schema": 1, **asdict(weight), "paths": [str(path) for path in paths]}))
        else:
            typer.echo(describe(weight, "here" if paths else "not here"))


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Weights to verify (default: all that are present).", autocompletion=complete_weights),
    ] = None,
    _quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Compare weight files with their registered digests. Exit code 3 if one is damaged or missing."""
    from facepipe.weights import locate, lookup, registered
    from facepipe.weights import verify as verify_weight

    weights = [lookup(name) for name in names] if names else list(registered().values())
    faults = []
    for weight in weights:
        if not names and weight.url and not locate(weight):
            typer.echo(describe(weight, "not fetched"))
            continue
        try:
            verify_weight(weight)
        except WeightsError as error:
            faults.append(error)
            typer.echo(describe(weight, "BAD" if locate(weight) else "MISSING"))
        else:
            typer.echo(describe(weight, "ok"))
    if faults:
        raise PrecheckError(faults)


@app.command()
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Weights to fetch.", autocompletion=complete_weights)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Fetch all weights that have a URL.")] = False,
    url: Annotated[str, typer.Option(help="Another URL for the same file.")] = "",
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Download weights and check their digests. An interrupted download is resumed."""
    from facepipe.weights import fetch as fetch_weight
    from facepipe.weights import lookup, registered

    if bool(names) == every or (url and len(names or ()) != 1):
        raise UsageError("expected the names of weights, or --all; --url needs exactly one name")
    for name in names or [weight.name for weight in registered().values() if weight.url]:
        weight = lookup(name)
        if not quiet:
            print(f"{name}: {weight.bytes / 1e6:.1f} MB, licence {weight.licence}", file=sys.stderr)
        typer.echo(fetch_weight(name, url, advance=_ignore if quiet else _print_progress(weight)).path)


def _ignore(_event: int | str) -> None:
    """Print neither progress nor notes."""


def _print_note(sentence: str) -> None:
    """Print a note to stderr, in the form of those of jobs."""
    print(f"note: {sentence}", file=sys.stderr)


def _print_progress(weight: "Weight") -> Callable[[int], None]:
    """Return a callback that prints the progress of a download to stderr every few seconds."""
    printed = time.monotonic()

    def advance(bytes_done: int) -> None:
        nonlocal printed
        if time.monotonic() - printed >= SECONDS_BETWEEN_LINES:
            printed = time.monotonic()
            print(f"{weight.name}: {bytes_done / weight.bytes:.0%}", file=sys.stderr)

    return advance


Given = Annotated[
    list[Path],
    typer.Argument(
        metavar="[KIND] FILE",
        help="A .safetensors file; or a third-party file as published, preceded by its kind: "
        "pirender, bilayer (a folder), deep3d, bfm, fan-3d, fan-depth, alexnet, lpips, inception, vgg19 or "
        "recognition.",
        show_default=False,
    ),
]
Name = Annotated[str, typer.Option(help="Registry name (default: the kind, or the name of the file).")]
Licence = Annotated[str, typer.Option(help="Licence, as an SPDX identifier if there is one.")]
Source = Annotated[str, typer.Option(help="Origin of the file.")]
Space = Annotated[
    str,
    typer.Option(
        help=f"Motion space of the network: {' or '.join(SPACES)}.", autocompletion=completing("motion_space")
    ),
]
Replace = Annotated[bool, typer.Option("--replace", help="Replace the registered weight of this name.")]
Unchecked = Annotated[
    bool, typer.Option("--unchecked", help="Accept a file of your own for a KIND whose published digest is known.")
]


@app.command()
def add(
    given: Given,
    name: Name = "",
    licence: Licence = "",
    source: Source = "",
    space: Space = "",
    replace: Replace = False,
    unchecked: Unchecked = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Copy a weight file into the user's weight folder and register it. Third-party files are converted."""
    from functools import partial

    from facepipe.weights import THIRD_PARTY, name_of
    from facepipe.weights import add as add_weight

    if space not in ("", *SPACES):
        raise UsageError(f"--space is {space!r}, expected {' or '.join(SPACES)}")
    if len(given) > 2:
        raise UsageError(f"expected [KIND] FILE, got {' '.join(map(str, given))}")
    *kinds, path = given
    known = name_of(str(kinds[0])) if kinds else name if name in THIRD_PARTY else ""
    if known and not THIRD_PARTY[known].scripted:
        from facepipe.pipeline.official import read_official
        from facepipe.weights.conversion import add_third_party

        file = add_third_party(
            path,
            partial(read_official, known),
            THIRD_PARTY[known],
            name=name or known,
            licence=licence,
            source=source,
            space=space,
            unchecked=unchecked,
            replace=replace,
            note=_ignore if quiet else _print_note,
        )
    else:
        file = add_weight(
            path,
            name=known or name or path.stem,
            licence=licence or "unknown",
            source=source or path.name,
            space=space,
            page=THIRD_PARTY[known].url if known and not unchecked else "",
            replace=replace,
        )
    typer.echo(f"{file.name}  sha256 {file.sha256}  {file.path}")
