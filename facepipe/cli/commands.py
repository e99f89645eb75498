"""The commands that make results. The options of each are the fields of its request."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from facepipe.cli import arguments as a
from facepipe.cli.completion import completion_of
from facepipe.cli.guard import Verbose
from facepipe.cli.help import help_of, metavar_of
from facepipe.cli.jobs import Running, events_of, report_results
from facepipe.errors import FailedItemsError, UsageError
from facepipe.requests import EditRequest, ReenactRequest, Request, run
from facepipe.requests.declaration import Declared, declared
from facepipe.requests.sliders import Pose


def _list_sliders(wanted: bool) -> None:
    if not wanted:
        return
    from facepipe.motion.sliders import read_bounds, unit_of
    from facepipe.weights import find

    for name, (low, high) in read_bounds(find("face-model").path).items():
        typer.echo(f"--{name.replace('_', '-'):<20}{low:>7g} to {high:<6g} {unit_of(name)}".rstrip())
    raise typer.Exit


CONTROLS: dict[str, tuple[Any, Any]] = {
    "force": (a.Force, None),
    "dry_run": (a.DryRun, False),
    "as_json": (a.AsJson, False),
    "log_file": (a.LogFile, None),
    "quiet": (a.Quiet, False),
}
"""Options of all these commands that control the run and not the result: annotation and default."""


List = Annotated[
    bool,
    typer.Option(
        "--list",
        help="Print all sliders with their bounds, and exit.",
        callback=_list_sliders,
        is_eager=True,
        rich_help_panel=Pose.panel,
    ),
]


def command_of(request: type[Request], *, plans: bool = False) -> Callable[..., None]:
    """Return a function for typer whose parameters are the fields of a request. With `plans` it is always a dry run."""
    fields = declared(request)
    own = [name for name in fields if name in vars(request)["__annotations__"]]
    controls = [name for name in CONTROLS if not (plans and name == "dry_run")]
    parameters = [
        *(_parameter(fields[name]) for name in own),
        *(_parameter(field) for name, field in fields.items() if name not in own),
        *([_keyword("list_sliders", List, False)] if request is EditRequest else []),
        *(_keyword(name, *CONTROLS[name]) for name in controls),
        _keyword("_verbose", Verbose, False),
    ]

    def command(**values: Any) -> None:
        running = Running(**{"dry_run": plans, **{name: values[name] for name in controls}})
        given = {name: tuple(values[name] or ()) if field.several else values[name] for name, field in fields.items()}
        run_request(request(**given), running)

    command.__name__, command.__doc__ = request.command, inspect.getdoc(request)
    # typer reads both.
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def plan_command() -> Callable[..., None]:
    """Return the command `plan`: `reenact` as a dry run."""
    command = command_of(ReenactRequest, plans=True)
    command.__name__ = "plan"
    command.__doc__ = (
        "Print what `reenact` would run with the same arguments and why, the number of frames and the disk space, and "
        "write nothing."
    )
    return command


def run_request(request: Request, running: Running) -> None:
    """Run a request as a job and print the paths of its results, also when some items failed."""
    from facepipe.config import load_settings

    if running.as_json and str(getattr(request, "out", "")) == "-":
        raise UsageError("--json prints to stdout, which -o - writes the result to; leave one of them out")
    try:
        with events_of(running) as events:
            made = run(request, load_settings(), force=running.force or (), dry_run=running.dry_run, events=events)
    except FailedItemsError as error:
        report_results(error.done, running)
        raise
    report_results(made, running)


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _parameter(field: Declared) -> inspect.Parameter:
    """Return the typer parameter of a field."""
    option, kind = field.option, list[field.type] if field.several else field.type  # type: ignore[name-defined]
    low, high = field.bounds
    how: dict[str, Any] = {"help": help_of(field), "metavar": metavar_of(field), "min": low, "max": high}
    if not option.positional:
        how |= {"rich_help_panel": field.panel or None, "autocompletion": completion_of(field)}
    if field.required:
        how["show_default"] = False
    if field.type is Path:
        how["readable"] = False  # the code that reads the file has better messages
    info = typer.Argument(**how) if option.positional else typer.Option(*_flags(field), **how)
    default = inspect.Parameter.empty if field.required else field.default
    if field.several and default == ():
        default = None
    return _keyword(field.name, Annotated[kind | None if default is None else kind, info], default)


def _flags(field: Declared) -> Iterator[str]:
    if field.option.short:
        yield field.option.short
    if field.type is bool and (field.optional or field.default is True):
        yield f"{field.flag}/--no{field.flag[1:]}"
    else:
        yield field.flag
