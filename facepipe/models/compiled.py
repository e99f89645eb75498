"""Compilation of loops by numba."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])
EXACT: Mapping[str, Any] = {"nogil": True}
# Products and sums are fused into one instruction, which rounds once; division does not check for zero.
FUSED: Mapping[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}


def compiled(function: Function, options: Mapping[str, Any] = EXACT) -> Function:
    """Compile a function at its first call. The result is cached on disk for other processes, if possible."""
    try:
        return cast("Function", njit(cache=True, **options)(function))
    except RuntimeError:  # Neither the installed package nor the home folder is writable.
        return cast("Function", njit(**options)(function))


def compiled_fused(function: Function) -> Function:
    """Compile with FUSED options, for speed: results may differ in the last bit between processors."""
    return compiled(function, FUSED)
