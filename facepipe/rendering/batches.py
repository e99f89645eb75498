"""Drawing several frames at a time, and fewer when memory is short."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from typing import TypeVar

import torch

from facepipe.errors import MemoryLimitError

T = TypeVar("T")
# What torch says when the system gives it no memory for the CPU; it has no class for that.
REFUSED = ("can't allocate memory", "not enough memory", "out of memory")


class Batches:
    """How many frames are drawn at a time: halved whenever memory does not suffice, and never raised again.

    With `threads`, so many batches are drawn side by side, each by a thread in which torch computes on that one alone:
    on a CPU that is faster than to share each layer among all, and how many threads there are changes no number.
    """

    def __init__(self, frames: int, threads: int = 0) -> None:
        self.frames, self.threads = frames, threads

    def drawn(self, count: int, draw: Callable[[int, int], T]) -> Iterator[T]:
        """Yield what `draw` makes of the frames from `begin` up to `end`, left out, until all `count` are drawn.

        Raises MemoryLimitError where memory does not suffice for a single frame.
        """
        with ExitStack() as closing:
            crew = closing.enter_context(_crew(self.threads)) if self.threads else None
            ahead, asked, begin = deque[tuple[int, Callable[[], T]]](), 0, 0
            while begin < count:
                while asked < count and len(ahead) <= self.threads:
                    end = min(asked + self.frames, count)
                    ahead.append((end, crew.submit(draw, asked, end).result if crew else partial(draw, asked, end)))
                    asked = end
                end, result = ahead.popleft()
                try:
                    made = result()
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
                    _abandon(ahead, drawing=crew is not None)
                    asked = begin
                    continue
                yield made
                begin = end


def _crew(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "drawing", initializer=torch.set_num_threads, initargs=(1,))


def _abandon(ahead: deque[tuple[int, Callable[[], T]]], *, drawing: bool) -> None:
    """Forget batches of a size that does not fit, once those that are being drawn have given their memory back."""
    while ahead:
        _, result = ahead.popleft()
        if drawing:
            with suppress(MemoryError, RuntimeError):
                result()
    _give_back()


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that there is no memory left, in main memory or on a GPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in REFUSED)


def _give_back() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
