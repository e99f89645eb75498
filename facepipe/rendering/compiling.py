"""Compilation of networks by torch, with a fallback to eager execution."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Generic, ParamSpec, TypeVar

import torch

from facepipe.rendering.batches import is_out_of_memory

P = ParamSpec("P")
R = TypeVar("R")
CACHED_NETWORKS = 12


class Compiled(Generic[P, R]):
    """A function that torch compiles on the first call. If compilation fails, it stays uncompiled from then on."""

    def __init__(self, plain: Callable[P, R]) -> None:
        # Networks cache constant matrices; tracing computes them again, which is harmless.
        warnings.filterwarnings("ignore", "Dynamo detected a call to a `functools.lru_cache`")
        self.plain, self.run = plain, torch.compile(plain)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        try:
            return self.run(*args, **kwargs)
        except Exception as error:
            # Torch, Triton and a C compiler raise a dozen types; an error of the function itself is raised again below.
            if is_out_of_memory(error) or self.run is self.plain:
                raise
            _warn(str(error).strip().partition("\n")[0] or type(error).__name__)
        self.run = self.plain
        return self.plain(*args, **kwargs)


def compiled(function: Callable[P, R], device: torch.device) -> Callable[P, R]:
    """Return a network, or a method of one, that torch compiles on its first call. It pays on a GPU, for long clips.

    Without a GPU, or if compilation fails, a line on stderr gives the reason and the function runs uncompiled.
    """
    return _compiled(function, device.type)  # type: ignore[return-value]


# Each segment of a clip opens its renderer again; the cache lets them share one compiled function.
@lru_cache(maxsize=CACHED_NETWORKS)
def _compiled(function: Callable[..., object], device: str) -> Callable[..., object]:
    if device == "cuda":
        return Compiled(function)
    _warn("torch finds no GPU")
    return function


def _warn(reason: str) -> None:
    print(f"facepipe: rendering without torch.compile: {reason}", file=sys.stderr, flush=True)
