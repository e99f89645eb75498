"""Weights as they were loaded: once a process, for a batch goes through thousands of items in one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

KEPT_MODELS = 12
T = TypeVar("T")


def load_once(load: Callable[..., T], *paths: Path, threads: int | None = None) -> T:
    """Return what `load` makes of files, made once for as long as the files stay as they are.

    `load` is a function or class of a module, by which the model is known again. `threads` is with how many torch is to
    compute from now on: loading a network says so too, and it may not depend on what was loaded before.
    """
    states = tuple((status.st_size, status.st_mtime_ns, status.st_ino) for status in map(Path.stat, paths))
    made: T = _made(load, paths, states)
    if threads is not None:
        sys.modules["torch"].set_num_threads(threads)
    return made


@lru_cache(maxsize=KEPT_MODELS)
def _made(load: Callable[..., Any], paths: tuple[Path, ...], _states: tuple[tuple[int, ...], ...]) -> Any:
    return load(*paths)
