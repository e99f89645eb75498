"""Compilation of loops by numba."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])
EXACT: Mapping[str, Any] = {"nogil": True}
# Products and sums are fused into one instruction, which rounds once; division does not check for zero.
FUSED: Mapping[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
REMEDY = "set NUMBA_CACHE_DIR to a writable folder, so that it happens once"
_uncached: list[Any] = []


def compiled(function: Function, options: Mapping[str, Any] = EXACT) -> Function:
    """Compile a function at its first call. The result is cached on disk for other processes, if possible."""
    try:
        return cast("Function", njit(cache=True, **options)(function))
    except RuntimeError:  # Neither the installed package nor the home folder is writable.
        _uncached.append(njit(**options)(function))
        return cast("Function", _uncached[-1])


def compiled_fused(function: Function) -> Function:
    """Compile with FUSED options, for speed: results may differ in the last bit between processors."""
    return compiled(function, FUSED)


def lacks_cache() -> bool:
    """Return whether a function cannot be cached, so that every process compiles it."""
    return bool(_uncached)


def compiled_in_vain() -> bool:
    """Return whether this process compiled a function that the next one compiles again."""
    return any(function.signatures for function in _uncached)
