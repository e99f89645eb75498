"""Running or planning a batch: checks, events and exit code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from facepipe.cli.batch_settings import BatchSettings
from facepipe.errors import BusyError, FacepipeError, OptionsError, PrecheckError

if TYPE_CHECKING:
    from facepipe.batch.joblist import JobList
    from facepipe.batch.outcome import Settled
    from facepipe.batch.plan import Checked
    from facepipe.batch.run import Run
    from facepipe.engine.events import Sink

TERMINAL_RESULTS = 20
"""Number of results that are named on a terminal. A pipe or file gets all."""


def run_list(
    jobs: JobList,
    settings: BatchSettings,
    *,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    skip_invalid: bool,
    verbose: bool = False,
    lists_results: bool = True,
    again: frozenset[str] = frozenset(),
) -> None:
    """Run or plan a batch. Raises typer.Exit if the exit code is not 0.

    With `lists_results` the paths of all results that are done are printed to stdout at the end, unless `as_json`.
    """
    from facepipe.console import open_sink
    from facepipe.engine import Job, Workspace
    from facepipe.engine.progress import printable

    started = time.monotonic()
    with _requeued(), open_sink(as_json=as_json, quiet=quiet, verbose=verbose, log_file=settings.log_file) as sink:
        run = settings.run(jobs, sink, again)
        if dry_run:
            Workspace(settings.work).precheck(make=False)
            _plan(run, sink, started, skip_invalid=skip_invalid)
            return
        # The job's lock prevents `clean` while the batch runs.
        Workspace(settings.work).precheck()
        with Job(Workspace(settings.work), {"command": "batch"}, remembers=False):
            checked = run.check()
            _refuse(checked, skip_invalid=skip_invalid)
            settled = run.lead(checked)
        if not run.tidy(settled):
            sink(_kept_files())
        sink(_summary(settled, started))
    if lists_results and not as_json and not run.stop.signal:
        _print_results(run)
    if settled.message:
        print(f"facepipe: {printable(settled.message)}", file=sys.stderr)
    if settled.exit_code:
        raise typer.Exit(int(settled.exit_code))


@contextmanager
def _requeued() -> Iterator[None]:
    """Turn SIGTERM before the first item into exit code 75, as after it, so that a scheduler requeues the job."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        if str(stopped) == "SIGTERM":
            raise BusyError("stopped by SIGTERM; run the same command to continue") from None
        raise


def _plan(run: Run, sink: Sink, started: float, *, skip_invalid: bool) -> None:
    """Emit the plan of each item and a summary. Raises the error that the run would raise before its first item."""
    from facepipe.engine.events import BatchSummary, ItemPlan
    from facepipe.engine.progress import INVALID

    checked = run.check()
    for one in run.planner.decisions():
        invalid = one.item.id in checked.bad
        sink(
            ItemPlan(
                item=one.item.id,
                label=one.item.label,
                output=one.item.output,
                reason=INVALID if invalid else one.reason,
                to_make=one.wanted and not invalid,
            )
        )
    sink(
        BatchSummary(
            dry_run=True,
            items=checked.mine,
            done=checked.done,
            made=0,
            failed=checked.failed,
            claimed_elsewhere=0,
            remaining=checked.wanted - sum(decision.wanted for decision, _ in checked.bad.values()),
            seconds=round(time.monotonic() - started, 3),
            exit_code=0,
        )
    )
    _refuse(checked, skip_invalid=skip_invalid)


def _refuse(checked: Checked, *, skip_invalid: bool) -> None:
    """Raise one error with all faults, if there are any: OptionsError if only options of the command are invalid."""
    faults: list[FacepipeError] = [*checked.machine, *([] if skip_invalid else checked.problems)]
    if faults:
        unique = list({str(fault): fault for fault in faults}.values())
        usage = all(fault in checked.settings.values() for fault in unique)
        raise (OptionsError if usage else PrecheckError)(unique)


def _summary(settled: Settled, started: float) -> Any:
    from facepipe.engine.events import BatchSummary

    return BatchSummary(
        dry_run=False,
        items=settled.total,
        done=settled.done,
        made=settled.made,
        failed=settled.failed,
        claimed_elsewhere=settled.claimed_elsewhere,
        remaining=settled.remaining,
        seconds=round(time.monotonic() - started, 3),
        exit_code=int(settled.exit_code),
        failure_classes=settled.failure_classes,
        remarks=settled.remarks,
    )


def _kept_files() -> Any:
    """Return the remark that work files could not be removed."""
    from facepipe.engine.events import Remarked

    return Remarked(
        stage="",
        label="",
        code="work-files-kept",
        message="another process uses the work folder, so work files that items share stay in it; the run that ends "
        "last removes them, or the same command once more",
    )


def _print_results(run: Run) -> None:
    """Print the paths of all results that are done, in the order of the list; on a terminal only the first."""
    shown = TERMINAL_RESULTS if sys.stdout.isatty() else None
    for number, output in enumerate(run.results()):
        if number == shown:
            print("and more results; redirect the output to a file to get all names", file=sys.stderr)
            return
        # Bytes, because a name may not be valid in the encoding of the terminal.
        typer.echo(os.fsencode(output))
