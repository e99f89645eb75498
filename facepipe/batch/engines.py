"""Engines: processes on this machine, or of a dask or ray cluster, through joblib.

An engine only calls a function with arguments. The state of items is in the item log and the claims, so results do not
depend on the engine.
"""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, TypeVar

from facepipe.errors import ToolError, UsageError

EngineName = Literal["loky", "dask", "ray"]
ENGINES: tuple[EngineName, ...] = ("loky", "dask", "ray")
IDLE_SECONDS = 60.0
"""Worker processes end after this idle time, so that they do not outlive a leader that was killed."""
TRACKER_WARNINGS = "ignore:resource_tracker:UserWarning"
T = TypeVar("T")
Apply = Callable[[Callable[[T], None], Iterable[T]], None]
"""Calls a function with each argument; arguments are consumed lazily. Raises BrokenEngineError."""


class BrokenEngineError(Exception):
    """The engine lost workers. The item log shows which items they were working on."""


@dataclass(frozen=True)
class Engine:
    """An engine and its size."""

    name: EngineName = "loky"
    workers: int = 1
    threads: int = 1
    """Threads per worker. Workers times threads should not exceed the number of cores."""
    scheduler: str = ""
    """Address of a dask or ray cluster; if empty, one is started on this machine."""

    def check(self) -> None:
        """Raise ToolError if the engine is not installed, UsageError if it does not use the scheduler."""
        package = {"dask": "distributed", "ray": "ray"}.get(self.name)
        if package and find_spec(package) is None:
            raise ToolError(
                f"--engine {self.name} needs a package that is not installed: pip install 'facepipe[{self.name}]'"
            )
        if self.scheduler and self.name == "loky":
            raise UsageError("--scheduler needs --engine dask or ray; loky runs only on this machine")

    @contextmanager
    def started(self) -> Iterator[Apply[Any]]:
        """Start the engine, and stop it at the end of the block."""
        start = {"loky": _loky, "dask": _dask, "ray": _ray}[self.name]
        with start(self) as apply:
            yield apply

    def environment(self) -> dict[str, str]:
        """Return the environment variables that limit numerical libraries to the threads of a worker."""
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        shared = {name: str(self.threads) for name in names}
        # Waiting OpenBLAS threads always spin, and would occupy the core on which ffmpeg decodes.
        return {**shared, "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}


@contextmanager
def _loky(engine: Engine) -> Iterator[Apply[Any]]:
    """Use one executor per worker, because loky ends all workers of an executor when one dies."""
    from joblib import Parallel, delayed

    _start_tracker()
    seats = _Seats(engine)

    def apply(function: Callable[[T], None], tasks: Iterable[T]) -> None:
        parallel = Parallel(n_jobs=engine.workers, backend="threading", pre_dispatch="n_jobs", batch_size=1)
        parallel(delayed(seats.call)(function, task) for task in tasks)

    try:
        yield apply
    finally:
        seats.close()


def _start_tracker() -> None:
    """Start the process that frees what a killed leader leaves, without its warnings.

    It outlives the leader and would write to the user's terminal that it frees semaphores, which is its purpose.
    """
    from joblib.externals.loky.backend.resource_tracker import ensure_running

    sys.warnoptions.append(TRACKER_WARNINGS)  # loky passes these on
    try:
        ensure_running()
    finally:
        sys.warnoptions.remove(TRACKER_WARNINGS)


class _Seats:
    """Executors with one process each. A thread holds one for the duration of a task."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()
        for _ in range(engine.workers):
            self._free.put(None)

    def call(self, function: Callable[[T], None], task: T) -> None:
        """Run a task in a process. If the process is killed, the task is abandoned and the process replaced."""
        from joblib.externals.loky import BrokenProcessPool

        seat = self._free.get()
        try:
            seat = seat or self._new()
            seat.submit(function, task).result()
        except BrokenProcessPool:
            seat.shutdown(wait=False, kill_workers=True)
            seat = None
        finally:
            self._free.put(seat)

    def _new(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        return ProcessPoolExecutor(max_workers=1, timeout=IDLE_SECONDS, env=self._engine.environment())

    def close(self) -> None:
        """End all processes."""
        while not self._free.empty():
            if seat := self._free.get():
                seat.shutdown(wait=True, kill_workers=True)


@contextmanager
def _dask(engine: Engine) -> Iterator[Apply[Any]]:
    import distributed
    from joblib import Parallel, delayed, parallel_config

    untyped: Any = distributed

    def apply(function: Callable[[T], None], tasks: Iterable[T]) -> None:
        with parallel_config(backend="dask", client=client), _translated_errors("dask"):
            Parallel(pre_dispatch=2 * engine.workers, batch_size=1)(delayed(function)(task) for task in tasks)

    if engine.scheduler:
        with untyped.Client(engine.scheduler, set_as_default=False) as client:
            yield apply
        return
    cluster = untyped.LocalCluster(
        n_workers=engine.workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        env=engine.environment(),
        silence_logs="ERROR",
    )
    with cluster, untyped.Client(cluster, set_as_default=False) as client:
        yield apply


@contextmanager
def _ray(engine: Engine) -> Iterator[Apply[Any]]:
    import logging
    from importlib import import_module

    import ray
    from joblib import Parallel, delayed, parallel_config

    register_ray: Any = import_module("ray.util.joblib").register_ray

    def apply(function: Callable[[T], None], tasks: Iterable[T]) -> None:
        with parallel_config(backend="ray", n_jobs=engine.workers), _translated_errors("ray"):
            Parallel(pre_dispatch=2 * engine.workers, batch_size=1)(delayed(function)(task) for task in tasks)

    where = {"address": engine.scheduler} if engine.scheduler else {"num_cpus": engine.workers}
    ray.init(
        **where,
        include_dashboard=False if not engine.scheduler else None,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env={"env_vars": {**engine.environment(), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}},
    )
    register_ray()
    try:
        yield apply
    finally:
        ray.shutdown()


@contextmanager
def _translated_errors(name: str) -> Iterator[None]:
    """Raise BrokenEngineError for exceptions of the engine's library; other exceptions pass."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.split(".")[0] in ("distributed", "dask", "ray"):
            raise BrokenEngineError(f"{name}: {type(error).__name__}: {error}") from error
        raise
