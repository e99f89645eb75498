"""`facepipe batch` and `facepipe retry`: many items, on as many cores and machines as there are."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from facepipe.cli import arguments as a
from facepipe.cli.guard import Verbose
from facepipe.errors import BusyError, FacepipeError, PrecheckError, UsageError

if TYPE_CHECKING:
    from facepipe.batch.engines import Engine
    from facepipe.batch.joblist import JobList, Shard
    from facepipe.batch.keeping import Keep
    from facepipe.batch.plan import Checked
    from facepipe.batch.run import Limits, Run, Settled
    from facepipe.engine.events import Sink

STDIN = "-"
DATASET = "dataset"
"""The command of the items of `facepipe dataset build`, which are no rows."""
WORKER_BYTES = 1.2e9
"""What one worker may need; of these fit so many as there is memory."""

Jobs = Annotated[
    list[str],
    typer.Argument(
        help="A CSV or JSONL file, or - for standard input; with --pair, patterns or folders.", metavar="JOBS…"
    ),
]
Pair = Annotated[
    str, typer.Option("--pair", help="list (JOBS is a list), product (each with each) or zip (side by side).")
]
Command = Annotated[str, typer.Option("--command", help="The command of rows that name none.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="An option for all rows that say nothing of their own. May be repeated.", metavar="NAME=VALUE"
    ),
]
Template = Annotated[
    str,
    typer.Option("-o", "--out", help="Where results go: {id} {source} {driving} {sample} {ext}.", metavar="TEMPLATE"),
]
EngineName = Annotated[str, typer.Option("--engine", help="loky (this machine), dask or ray.")]
Workers = Annotated[
    int, typer.Option("--jobs", "-j", help="Workers at a time (default: one a core that has memory).", min=0)
]
Scheduler = Annotated[str, typer.Option("--scheduler", help="Address of a dask or ray cluster.", metavar="ADDRESS")]
Rank = Annotated[int | None, typer.Option("--rank", help="Which shard of the items, from 0 (or SLURM_ARRAY_TASK_ID).")]
World = Annotated[int | None, typer.Option("--world", help="How many shards (or SLURM_ARRAY_TASK_COUNT).")]
MaxFailures = Annotated[
    str, typer.Option("--max-failures", help="Stop at so many failed items, or at that share.", metavar="N|P%")
]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first failed item.")]
Retries = Annotated[int, typer.Option("--retries", help="Tries more for an item whose failure may pass.", min=0)]
KeepWhat = Annotated[
    str, typer.Option("--keep", help="Work files that outlive an item: none, results, coefficients or all.")
]
SkipInvalid = Annotated[
    bool, typer.Option("--skip-invalid", help="Count rows with faults as failed, and make the others.")
]
Classes = Annotated[
    list[str] | None, typer.Option("--class", help="Only failures of this class. May be repeated.", metavar="CLASS")
]


def batch(
    jobs: Jobs,
    out: Template = "",
    pair: Pair = "list",
    command: Command = "reenact",
    set_options: Set = None,
    engine: EngineName = "loky",
    workers: Workers = 0,
    scheduler: Scheduler = "",
    rank: Rank = None,
    world: World = None,
    retries: Retries = 2,
    max_failures: MaxFailures = "",
    fail_fast: FailFast = False,
    skip_invalid: SkipInvalid = False,
    keep: KeepWhat = "all",
    work: a.Work = None,
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Make many results: one row an item, with the columns command, source, driving or sound, output, and any option.

    What is done is kept and never done again; the same command goes on after a stop, on any number of machines that
    share the work folder. `facepipe status`, `failures`, `stats` and `report` read how it stands.
    """
    from facepipe.batch.commands import Commands
    from facepipe.batch.joblist import JobList
    from facepipe.config import load_settings

    how = BatchSettings(engine, workers, scheduler, limits_of(max_failures, retries, fail_fast=fail_fast), keep, work)
    with _rows(jobs, pair, command) as (name, rows):
        shard = shard_of(rank, world, os.environ)
        common = dict(read_setting(text) for text in set_options or ())
        listed = JobList(name, rows, Commands(load_settings()), command, common, out, shard)
        run_list(listed, how, dry_run=dry_run, as_json=as_json, quiet=quiet, skip_invalid=skip_invalid)


def retry(
    work: Annotated[Path | None, typer.Argument(help="The work folder of the batch.", readable=False)] = None,
    classes: Classes = None,
    engine: EngineName = "loky",
    workers: Workers = 0,
    scheduler: Scheduler = "",
    retries: Retries = 2,
    max_failures: MaxFailures = "",
    fail_fast: FailFast = False,
    keep: KeepWhat = "all",
    dry_run: a.DryRun = False,
    as_json: a.AsJson = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Make the failed items of a batch again, and no others; those that failed for good too."""
    from facepipe.batch.commands import Commands
    from facepipe.batch.joblist import Recorded
    from facepipe.batch.overview import read_overview
    from facepipe.config import load_settings

    how = BatchSettings(engine, workers, scheduler, limits_of(max_failures, retries, fail_fast=fail_fast), keep, work)
    overview = read_overview(how.work)
    wanted = [one for one in overview.failures.values() if not classes or one.kind in classes]
    if classes and (unknown := sorted(set(classes) - set(overview.failure_classes))):
        known = ", ".join(sorted(overview.failure_classes)) or "none"
        raise UsageError(f"--class {unknown[0]}: no item failed that way; the classes here are {known}")
    if not wanted:
        typer.echo("nothing failed", err=True)
        return
    os.chdir(overview.folder or Path.cwd())
    items = tuple(one.item for one in wanted if one.item)
    if any(item.command == DATASET for item in items):
        raise UsageError("what failed here is a data set's; say `facepipe dataset build … --again`")
    listed = Recorded("retry", lambda: (), Commands(load_settings()), recorded=items)
    again = frozenset(one.kind for one in wanted)
    run_list(listed, how, dry_run=dry_run, as_json=as_json, quiet=quiet, skip_invalid=True, again=again)


class BatchSettings:
    """How a batch is run, checked."""

    def __init__(self, engine: str, workers: int, scheduler: str, limits: Limits, keep: str, work: Path | None) -> None:
        from facepipe.config import load_settings

        settings = load_settings(flags={"work.folder": str(work) if work else None})
        self.engine, self.limits, self.keep = engine_of(engine, workers, scheduler), limits, keep
        self.work, self._stale_seconds = Path(settings.work.folder).absolute(), settings.work.stale_seconds
        if keep not in ("none", "results", "coefficients", "all"):
            raise UsageError(f"--keep is {keep!r}, expected none, results, coefficients or all")

    def run(self, jobs: JobList, events: Sink, again: frozenset[str]) -> Run:
        """Return the run, which has begun nothing yet."""
        from facepipe.batch.run import Run

        return Run(
            jobs,
            self.work,
            Path.cwd(),
            self.engine,
            limits=self.limits,
            events=events,
            keep=cast("Keep", self.keep),
            stale_seconds=self._stale_seconds,
            again=again,
        )


def run_list(
    jobs: JobList,
    how: BatchSettings,
    *,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    skip_invalid: bool,
    again: frozenset[str] = frozenset(),
) -> None:
    """Run or plan a batch, and end the program with its exit code where that is not 0."""
    from facepipe.console import open_sink
    from facepipe.engine import Job, Workspace

    started = time.monotonic()
    with _requeued(), open_sink(as_json=as_json, quiet=quiet) as sink:
        run = how.run(jobs, sink, again)
        if dry_run:
            _plan(run, sink, started)
            return
        # Its lock keeps `clean` away for as long as the batch runs.
        Workspace(how.work).precheck()
        with Job(Workspace(how.work), {"command": "batch"}, remembers=False):
            checked = run.check()
            _refuse(checked, skip_invalid=skip_invalid)
            settled = run.lead(checked)
        run.tidy(settled)
        sink(_summary(settled, started))
    if settled.message:
        print(f"facepipe: {settled.message}", file=sys.stderr)
    if settled.exit_code:
        raise typer.Exit(int(settled.exit_code))


@contextmanager
def _requeued() -> Iterator[None]:
    """Let a scheduler that stops the program before its first item hear what it hears after it: try again."""
    try:
        yield
    except KeyboardInterrupt as stopped:
        if str(stopped) == "SIGTERM":
            raise BusyError("stopped by SIGTERM; run the same command to go on") from None
        raise


def _plan(run: Run, sink: Sink, started: float) -> None:
    """Tell what would be done about each item."""
    from facepipe.engine.events import BatchSummary, ItemPlan

    checked = run.check()
    for one in run.planner.decisions():
        sink(
            ItemPlan(
                item=one.item.id, label=one.item.label, output=one.item.output, reason=one.reason, wanted=one.wanted
            )
        )
    sink(
        BatchSummary(
            dry_run=True,
            items=checked.mine,
            done=checked.done,
            made=0,
            failed=checked.failed,
            held=0,
            left=checked.wanted,
            seconds=round(time.monotonic() - started, 3),
            exit_code=0,
        )
    )
    _refuse(checked, skip_invalid=False)


def _refuse(checked: Checked, *, skip_invalid: bool) -> None:
    """Raise one error that tells all that was found wrong."""
    faults: list[FacepipeError] = [*checked.machine, *([] if skip_invalid else checked.problems)]
    if faults:
        raise PrecheckError(list({str(fault): fault for fault in faults}.values()))


def _summary(settled: Settled, started: float) -> Any:
    from facepipe.engine.events import BatchSummary

    return BatchSummary(
        dry_run=False,
        items=settled.total,
        done=settled.done,
        made=settled.made,
        failed=settled.failed,
        held=settled.held,
        left=settled.left,
        seconds=round(time.monotonic() - started, 3),
        exit_code=int(settled.exit_code),
    )


@contextmanager
def _rows(jobs: list[str], pair: str, command: str) -> Iterator[tuple[str, Any]]:
    """Yield what the list is called, and what reads its rows, as often as it is called."""
    from facepipe.batch.pairing import pair as paired
    from facepipe.batch.rows import read_rows, spool

    if pair in ("product", "zip"):
        pairs = (
            list(paired(cast("Any", pair), jobs, "sound" if command == "audio" else "driving"))
            if pair == "zip"
            else None
        )
        again = partial(paired, cast("Any", pair), jobs, "sound" if command == "audio" else "driving")
        yield f"--pair {pair} {' '.join(jobs)}", lambda: enumerate(pairs if pairs is not None else again(), start=1)
        return
    if pair != "list":
        raise UsageError(f"--pair is {pair!r}, expected product, zip or list")
    if len(jobs) > 1:
        raise UsageError(f"a batch has one list, got {len(jobs)}; to pair files, say --pair product or --pair zip")
    if jobs[0] != STDIN:
        yield jobs[0], partial(read_rows, Path(jobs[0]))
        return
    with tempfile.TemporaryDirectory(prefix="facepipe-jobs-") as folder:
        spooled = Path(folder) / "standard input"
        spool(sys.stdin, spooled)
        yield "standard input", partial(read_rows, spooled)


def read_setting(text: str) -> tuple[str, str]:
    """Read "size=512". Raises UsageError."""
    name, equals, value = text.partition("=")
    if not (name.strip() and equals):
        raise UsageError(f"--set is {text!r}, expected NAME=VALUE, as in --set size=512")
    return name.strip(), value


def limits_of(text: str, retries: int, *, fail_fast: bool) -> Limits:
    """Read "10" or "5%". Raises UsageError."""
    from facepipe.batch.run import Limits

    if fail_fast:
        return Limits(failures=1, retries=retries)
    if not text:
        return Limits(retries=retries)
    try:
        number = float(text.removesuffix("%"))
        if text.endswith("%") and 0 < number <= 100:
            return Limits(failures_percent=number, retries=retries)
        if number >= 1 and number.is_integer() and not text.endswith("%"):
            return Limits(failures=int(number), retries=retries)
    except (ValueError, OverflowError):
        pass
    raise UsageError(f"--max-failures is {text!r}, expected a number from 1, or a share as 5%")


def shard_of(rank: int | None, world: int | None, environ: Mapping[str, str]) -> Shard:
    """Return the shard that flags say, or else the variables of a Slurm array. Raises UsageError."""
    from facepipe.batch.joblist import Shard

    if (rank is None) != (world is None):
        raise UsageError("--rank and --world go together: this shard, and how many there are")
    if rank is not None and world is not None:
        return Shard(rank, world)
    if "SLURM_ARRAY_TASK_ID" not in environ:
        return Shard()
    names = ("ID", "COUNT", "MIN", "STEP")
    try:
        number, count, first, step = (int(environ.get(f"SLURM_ARRAY_TASK_{name}") or 0) for name in names)
    except ValueError as error:
        raise UsageError(f"the variables SLURM_ARRAY_TASK_… are no numbers ({error}); say --rank and --world") from None
    shard = (number - first) // max(1, step)
    if not 0 <= shard < count:
        raise UsageError(
            f"task {number} of a Slurm array of {count} that begins at {first} is no shard; say --rank and --world, "
            "or give the array without gaps"
        )
    return Shard(shard, count)


def engine_of(name: str, workers: int, scheduler: str) -> Engine:
    """Return an engine that can be used here, with as many threads a worker as leave the others their cores."""
    from facepipe.batch.engines import ENGINES, Engine
    from facepipe.device import core_count, memory

    if name not in ENGINES:
        raise UsageError(f"--engine is {name!r}, expected {', '.join(ENGINES)}")
    wished = os.environ.get("OMP_NUM_THREADS", "")
    cores = int(wished) if wished.isdigit() and int(wished) else core_count()
    fitting = int(memory().available_bytes // WORKER_BYTES) or 1
    count = workers or max(1, min(cores, fitting))
    engine = Engine(cast("Any", name), count, max(1, cores // count), scheduler)
    engine.check()
    return engine
