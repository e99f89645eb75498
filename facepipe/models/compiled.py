"""Loops compiled by numba."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])
EXACT: Mapping[str, Any] = {"nogil": True}
# A product and a sum become one instruction, which rounds once, and a division does not look what it divides by.
FUSED: Mapping[str, Any] = {"nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}


def compiled(function: Function, options: Mapping[str, Any] = EXACT) -> Function:
    """Compile at the first call and keep the result for other processes, where this user may write anywhere."""
    try:
        return cast("Function", njit(cache=True, **options)(function))
    except RuntimeError:  # Neither the installed package nor a home folder can hold the cache.
        return cast("Function", njit(**options)(function))


def compiled_fused(function: Function) -> Function:
    """Compile likewise, for speed: results may differ in the last bit from one processor to the next."""
    return compiled(function, FUSED)
