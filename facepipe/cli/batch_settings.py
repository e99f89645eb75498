"""The settings of a batch run: engine, limits, shard and work folder, from options and the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from facepipe.errors import UsageError

if TYPE_CHECKING:
    from facepipe.batch.engines import Engine
    from facepipe.batch.joblist import JobList, Shard
    from facepipe.batch.keeping import Keep
    from facepipe.batch.limits import Limits
    from facepipe.batch.run import Run
    from facepipe.engine.events import Sink

WORKER_BYTES = 1.2e9
"""Estimated memory of one worker; it limits the default number of workers."""


class BatchSettings:
    """The checked settings of a batch run."""

    def __init__(
        self,
        engine: str,
        workers: int,
        scheduler: str,
        limits: Limits,
        keep: str,
        work: Path | None,
        log_file: Path | None = None,
    ) -> None:
        from facepipe.config import load_settings

        settings = load_settings(flags={"work.folder": str(work) if work else None})
        self.engine, self.limits, self.keep = engine_of(engine, workers, scheduler), limits, keep
        self.log_file = log_file
        self.work, self._stale_seconds = Path(settings.work.folder).absolute(), settings.work.stale_seconds
        if keep not in ("none", "results", "coefficients", "all"):
            raise UsageError(f"--keep is {keep!r}, expected none, results, coefficients or all")

    def run(self, jobs: JobList, events: Sink, again: frozenset[str]) -> Run:
        """Return the run; nothing has started yet."""
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


def limits_of(text: str, retries: int, *, fail_fast: bool) -> Limits:
    """Read "10" or "5%". Raises UsageError."""
    from facepipe.batch.limits import Limits

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
    raise UsageError(f"--max-failures is {text!r}, expected a whole number from 1, or a percentage such as 5%")


def shard_of(rank: int | None, world: int | None, environ: Mapping[str, str]) -> Shard:
    """Return the shard given by options, else that of the Slurm array in the environment. Raises UsageError."""
    from facepipe.batch.joblist import Shard

    if (rank is None) != (world is None):
        raise UsageError("--rank and --world must be given together: the index of this shard and the number of shards")
    if rank is not None and world is not None:
        return Shard(rank, world)
    if "SLURM_ARRAY_TASK_ID" not in environ:
        return Shard()
    names = ("ID", "COUNT", "MIN", "STEP")
    try:
        number, count, first, step = (int(environ.get(f"SLURM_ARRAY_TASK_{name}") or 0) for name in names)
    except ValueError as error:
        raise UsageError(
            f"the variables SLURM_ARRAY_TASK_… are not numbers ({error}); use --rank and --world"
        ) from None
    shard = (number - first) // max(1, step)
    if not 0 <= shard < count:
        raise UsageError(
            f"task {number} is outside a Slurm array of {count} tasks that begins at {first}; use --rank and --world, "
            "or submit the array without gaps"
        )
    return Shard(shard, count)


def engine_of(name: str, workers: int, scheduler: str) -> Engine:
    """Return a checked engine, with the cores divided evenly among its workers. Raises UsageError, ToolError."""
    from facepipe.batch.engines import ENGINES, Engine
    from facepipe.device import core_count, memory

    if name not in ENGINES:
        raise UsageError(f"--engine is {name!r}, expected {', '.join(ENGINES)}")
    threads = os.environ.get("OMP_NUM_THREADS", "")
    cores = int(threads) if threads.isdigit() and int(threads) else core_count()
    fitting = int(memory().available_bytes // WORKER_BYTES) or 1
    count = workers or max(1, min(cores, fitting))
    engine = Engine(cast("Any", name), count, max(1, cores // count), scheduler)
    engine.check()
    return engine
