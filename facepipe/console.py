"""Output of a job's events: a live display on a terminal, plain lines in a log, JSON lines for programs."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.progress import Progress as LiveProgress
from rich.text import Text

from facepipe.engine.events import Batch, Done, Error, Event, Failed, Progress, Remarked, Sink, Start
from facepipe.engine.progress import JobProgress, StageProgress, format_event, printable
from facepipe.errors import DiskError, ExitCode, PrecheckError, as_expected

PLAIN_SECONDS = 5.0
UNCHANGED_SECONDS = 60.0
"""In a log, counts of a batch that have not changed are repeated after this time."""
JSON_PROGRESS_SECONDS = 1.0


@contextmanager
def open_sink(
    *,
    as_json: bool = False,
    quiet: bool = False,
    verbose: bool = False,
    stream: TextIO | None = None,
    log_file: Path | None = None,
) -> Iterator[Sink]:
    """Yield a sink for events. With `as_json` it writes JSON lines to stdout, else text to `stream` (default: stderr).

    Text is a live display if `stream` is a terminal, else plain lines. With `quiet` only failures are written, with
    `verbose` also a line for each item of a batch. JSON lines are also appended to `log_file`.
    """
    with _open_display(as_json=as_json, quiet=quiet, verbose=verbose, stream=stream or sys.stderr) as display:
        if log_file is None:
            yield display
            return
        with open_log(log_file) as log:

            def both(event: Event) -> None:
                display(event)
                log(event)

            yield both


@contextmanager
def open_log(path: Path) -> Iterator[Sink]:
    """Yield a sink that appends JSON lines to a file, and last the error that ends the block, if any.

    A line that cannot be written does not end the block. Raises DiskError at its end, unless it ended by an error.
    """
    try:
        file = path.open("a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        fault = DiskError(f"--log-file {path}: cannot be written ({error.strerror}); choose another place")
        raise PrecheckError([fault]) from error
    log = _Log(JsonLines(file))
    try:
        yield log
    except BaseException as error:
        expected = as_expected(error) if isinstance(error, Exception) else None
        code = expected.exit_code if expected else ExitCode.BUG
        if isinstance(error, KeyboardInterrupt):
            code = ExitCode.INTERRUPTED
        log(Error(message=str(expected or repr(error)), exit_code=int(code)))
        raise
    finally:
        with suppress(OSError):  # what is still in its buffer
            file.close()
    if log.failure:
        reason = log.failure.strerror or log.failure
        raise DiskError(f"--log-file {path}: is incomplete ({reason}); the work itself is done") from log.failure


class _Log:
    """Passes events on until one cannot be written."""

    def __init__(self, lines: Sink) -> None:
        self._lines = lines
        self.failure: OSError | None = None

    def __call__(self, event: Event) -> None:
        """Handle an event."""
        if self.failure is None:
            try:
                self._lines(event)
            except OSError as error:
                self.failure = error


@contextmanager
def _open_display(*, as_json: bool, quiet: bool, verbose: bool, stream: TextIO) -> Iterator[Sink]:
    if as_json:
        yield JsonLines(sys.stdout)
    elif quiet:
        yield Failures(stream)
    elif stream.isatty():
        with Terminal(Console(file=stream), verbose=verbose) as terminal:
            yield terminal
    else:
        yield PlainLines(stream, verbose=verbose)


class Failures:
    """Writes failures only."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        """Handle an event."""
        if isinstance(event, Failed):
            _write_line(self._stream, format_event(event))


class PlainLines:
    """Writes plain lines. News are written immediately; progress and repeated events every few seconds."""

    def __init__(self, stream: TextIO, *, interval_seconds: float = PLAIN_SECONDS, verbose: bool = False) -> None:
        self._stream = stream
        self._interval_seconds = interval_seconds
        self._progress = JobProgress(verbose)
        self._last = time.monotonic()
        self._counts: tuple[int, int] | None = None
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Handle an event."""
        with self._lock:
            stage, now = self._progress.count(event), time.monotonic()
            if self._progress.is_news(event) or (isinstance(event, Batch) and self._is_due(event, now)):
                line = format_event(event)
            elif stage is not None and now - self._last >= self._interval_seconds:
                line = f"{printable(stage.stage)}: {stage.text(now)}"
            else:
                return
            self._last = now
            for one in line.split("\n"):
                _write_line(self._stream, one)

    def _is_due(self, event: Batch, now: float) -> bool:
        """Return whether the counts of a batch are to be written: the first ones, and new ones every few seconds."""
        counts, before = (event.done, event.failed), self._counts
        wait_seconds = self._interval_seconds if counts != before else UNCHANGED_SECONDS
        due = before is None or now - self._last >= wait_seconds
        self._counts = counts if due else before
        return due


class JsonLines:
    """Writes one JSON object per line, and at most one progress event per second."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = -JSON_PROGRESS_SECONDS
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Handle an event."""
        with self._lock:
            if isinstance(event, Progress):
                if time.monotonic() - self._last < JSON_PROGRESS_SECONDS:
                    return
                self._last = time.monotonic()
            print(json.dumps(event.as_json(), sort_keys=True), file=self._stream, flush=True)


class Terminal:
    """A live line with the progress of the current stage or of the batch, below lines for news."""

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        self._console = console
        self._progress = JobProgress(verbose)
        self._displayed: StageProgress | None = None
        self._live = LiveProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            _Figures(self),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Terminal:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Handle an event."""
        stage = self._progress.count(event)
        if stage is not None and isinstance(event, Start | Progress | Done):
            self._show(stage, printable(event.label))
        if isinstance(event, Batch):
            self._show_batch(event)
        if self._progress.is_news(event) and not isinstance(event, Start):
            style = "red" if isinstance(event, Failed) else "yellow" if isinstance(event, Remarked) else ""
            self._console.print(Text(format_event(event), style=style), soft_wrap=True)

    def figures(self) -> str:
        """Return progress, rate and remaining time of the batch or of the current stage."""
        if self._progress.batch:
            return format_event(self._progress.batch)
        return self._displayed.text(time.monotonic()) if self._displayed else ""

    def _show(self, stage: StageProgress, label: str) -> None:
        if self._task is None or self._displayed is not stage:
            if self._task is not None:
                self._live.remove_task(self._task)
            self._displayed, self._task = stage, self._live.add_task(label, total=None)
        self._live.update(self._task, completed=stage.frames, total=stage.expected, description=label)

    def _show_batch(self, event: Batch) -> None:
        if self._task is None:
            self._task = self._live.add_task("batch", total=event.items)
        self._live.update(self._task, completed=event.done + event.failed, total=event.items)


class _Figures(ProgressColumn):
    """Shows rate and remaining time from the tally. Rich's own columns would count skipped frames in the rate."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        del task
        return Text(self._terminal.figures())


def _write_line(stream: TextIO, line: str) -> None:
    encoding = stream.encoding or "ascii"
    print(line.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
