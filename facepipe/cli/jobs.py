"""Jobs of the command line: events are printed to stderr, paths of results to stdout."""

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
    """The options that control a run."""

    force: list[str] | None = None
    dry_run: bool = False
    as_json: bool = False
    quiet: bool = False
    log_file: Path | None = None


def run_job(identity: Mapping[str, Json], work: Path, body: Callable[[Job], None], running: Running) -> None:
    """Run the body of a job with the event sink that the options select."""
    from facepipe.engine import Job, Workspace

    with events_of(running) as events, Job(Workspace(work), identity, events=events) as job:
        body(job)


@contextmanager
def events_of(running: Running) -> Iterator[Sink]:
    """Yield the event sink: JSON lines on stdout, or text on stderr."""
    from facepipe.console import open_sink

    with open_sink(as_json=running.as_json, quiet=running.quiet, log_file=running.log_file) as sink:
        yield sink if running.as_json else _without_final_failure(sink)


def _without_final_failure(sink: Sink) -> Sink:
    """Return a sink that drops a failure after which the job ends, because the guard prints it."""
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
    """Print the paths of results to stdout, one per line. Nothing else goes there, so that a shell can read them."""
    if not running.as_json and not running.dry_run:
        for out in outs:
            # Bytes, because a name may not be valid in the encoding of the terminal.
            typer.echo(os.fsencode(out))
