"""Loops compiled by numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile at the first call and keep the result for other processes, where this user may write anywhere."""
    try:
        return cast("Function", njit(cache=True, nogil=True)(function))
    except RuntimeError:  # Neither the installed package nor a home folder can hold the cache.
        return cast("Function", njit(nogil=True)(function))
