"""Networks that torch compiles, where it can."""

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
KEPT_NETWORKS = 12


class Compiled(Generic[P, R]):
    """What a network does, compiled at the first call; as it was, for good, from the first call that fails so."""

    def __init__(self, plain: Callable[P, R]) -> None:
        # Of matrices that are kept, and made once more where a graph is traced.
        warnings.filterwarnings("ignore", "Dynamo detected a call to a `functools.lru_cache`")
        self.plain, self.run = plain, torch.compile(plain)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Take and give what the function does."""
        try:
            return self.run(*args, **kwargs)
        except Exception as error:
            # Torch, Triton and a compiler of C raise a dozen kinds; what is the function's own fault comes again below.
            if is_out_of_memory(error) or self.run is self.plain:
                raise
            _tell(str(error).strip().partition("\n")[0] or type(error).__name__)
        self.run = self.plain
        return self.plain(*args, **kwargs)


def compiled(function: Callable[P, R], device: torch.device) -> Callable[P, R]:
    """Have torch compile a network, or a method of one, at its first call: on a GPU, and for clips that are long.

    Where it cannot, a line on stderr says why, and the function is called as it is.
    """
    return _compiled(function, device.type)  # type: ignore[return-value]


# A segment of a clip opens its renderer anew, and what was compiled for the last one serves it too.
@lru_cache(maxsize=KEPT_NETWORKS)
def _compiled(function: Callable[..., object], device: str) -> Callable[..., object]:
    if device == "cuda":
        return Compiled(function)
    _tell("torch finds no GPU")
    return function


def _tell(why: str) -> None:
    print(f"facepipe: frames are drawn without torch.compile: {why}", file=sys.stderr, flush=True)
