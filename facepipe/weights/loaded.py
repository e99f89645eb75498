"""Cache of loaded models, so that a batch of thousands of items loads each one once per process."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

KEPT_MODELS = 12
T = TypeVar("T")


class _Loading(threading.local):
    """Whether this thread is loading a model, which may load another one."""

    active = False


class _Clock:
    """The seconds that all threads spent on loading."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        with self._lock:
            self.seconds += seconds


_LOADING, _CLOCK = _Loading(), _Clock()


def load_once(load: Callable[..., T], *paths: Path, threads: int | None = None) -> T:
    """Return `load(*paths)`, cached while the files are unchanged.

    `load` is a module-level function or class, as it is part of the cache key. `threads` sets torch's number of threads
    on every call: loading a network sets it as well, and it must not depend on what was loaded before.
    """
    states = tuple((status.st_size, status.st_mtime_ns, status.st_ino) for status in map(Path.stat, paths))
    made: T = _made(load, paths, states)
    if threads is not None:
        sys.modules["torch"].set_num_threads(threads)
    return made


@lru_cache(maxsize=KEPT_MODELS)
def _made(load: Callable[..., Any], paths: tuple[Path, ...], _states: tuple[tuple[int, ...], ...]) -> Any:
    outermost, started = not _LOADING.active, time.monotonic()
    _LOADING.active = True
    try:
        return load(*paths)
    finally:
        if outermost:
            _LOADING.active = False
            _CLOCK.add(time.monotonic() - started)


def loading_seconds() -> float:
    """Return the time that this process has spent on loading models."""
    return _CLOCK.seconds
