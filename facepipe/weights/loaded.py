"""Cache of loaded models, so that a batch of thousands of items loads each one once per process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

KEPT_MODELS = 12
T = TypeVar("T")


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
    return load(*paths)
