"""Drawing several frames at a time, and fewer when memory is short."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from facepipe.errors import MemoryLimitError

T = TypeVar("T")
# What torch says when the system gives it no memory for the CPU; it has no class for that.
REFUSED = ("can't allocate memory", "not enough memory", "out of memory")


class Batches:
    """How many frames are drawn at a time: halved whenever memory does not suffice, and never raised again."""

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def drawn(self, count: int, draw: Callable[[int, int], T]) -> Iterator[T]:
        """Yield what `draw` makes of the frames from `begin` up to `end`, left out, until all `count` are drawn.

        Raises MemoryLimitError where memory does not suffice for a single frame.
        """
        begin = 0
        while begin < count:
            end = min(begin + self.frames, count)
            try:
                made = draw(begin, end)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if end - begin == 1:
                    raise MemoryLimitError(
                        "memory does not suffice to draw one frame; choose a smaller size, or run fewer jobs"
                    ) from error
                self.frames = (end - begin) // 2
                made = None
            if made is None:
                # Out here, where the error no longer holds on to what could not be finished.
                _give_back()
                continue
            yield made
            begin = end


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that there is no memory left, in main memory or on a GPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in REFUSED)


def _give_back() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
