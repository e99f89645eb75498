"""Running jobs from the command line: events go to the terminal, results to stdout."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from facepipe.engine import Job, Json
    from facepipe.engine.events import Event, Sink


@dataclass(frozen=True)
class Running:
    """How a job is run."""

    force: list[str] | None = None
    dry_run: bool = False
    as_json: bool = False
    quiet: bool = False


def run_job(identity: Mapping[str, Json], work: Path, body: Callable[[Job], None], running: Running) -> None:
    """Run a job's body with the sink that suits."""
    from facepipe.engine import Job, Workspace

    with events_of(running) as events, Job(Workspace(work), identity, events=events) as job:
        body(job)


@contextmanager
def events_of(running: Running) -> Iterator[Sink]:
    """Yield the sink that suits: JSON lines, or talk on stderr."""
    from facepipe.console import open_sink

    with open_sink(as_json=running.as_json, quiet=running.quiet) as sink:
        yield sink if running.as_json else _last_failure_held_back(sink)


def _last_failure_held_back(sink: Sink) -> Sink:
    """Hold back the failure that ends the program, because the guard prints it; one that work goes on after passes."""
    from facepipe.engine.events import Failed, Summary

    held: list[Event] = []

    def take(event: Event) -> None:
        if isinstance(event, Summary):
            held.clear()
        while held:
            sink(held.pop())
        if isinstance(event, Failed):
            held.append(event)
        else:
            sink(event)

    return take


def report_results(outs: Iterable[Path], running: Running) -> None:
    """Print the paths of results, alone on stdout, one a line, so that a shell can read them."""
    if not running.as_json and not running.dry_run:
        for out in outs:
            # As bytes, because a name need not be text in the encoding of the terminal.
            typer.echo(os.fsencode(out))
