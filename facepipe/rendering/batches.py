"""Rendering in batches, which become smaller when memory is short."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import nullcontext, suppress
from functools import partial
from typing import TypeVar

import torch

from facepipe.device import lone_threads
from facepipe.errors import MemoryLimitError

T = TypeVar("T")
# Parts of torch's messages when the system has no memory left for the CPU; it raises a plain RuntimeError.
OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


class Batches:
    """Runs a function over batches of frames. Batch size, then threads, are halved when memory is short, for good.

    With `threads`, that many batches run in parallel, each in a thread in which torch uses a single thread. On a CPU
    this is faster than splitting each layer among all threads, and the results do not depend on the number of threads.
    """

    def __init__(self, frames: int, threads: int = 0) -> None:
        """Set the initial batch size and the number of threads; 0 runs the batches in the calling thread."""
        self.frames, self.threads = frames, threads

    def run(self, count: int, render: Callable[[int, int], T]) -> Iterator[T]:
        """Yield `render(begin, end)` for consecutive batches, in order, until all `count` frames are rendered.

        Raises MemoryLimitError if memory is insufficient for a single frame.
        """
        begin = 0
        while begin < count:
            with lone_threads(self.threads, "render") if self.threads else nullcontext() as pool:
                for end, batch in self._until_short(pool, begin, count, render):
                    yield batch
                    begin = end

    def _until_short(
        self, pool: Executor | None, begin: int, count: int, render: Callable[[int, int], T]
    ) -> Iterator[tuple[int, T]]:
        """Yield ends of batches and their results up to `count`, or until memory is short and less must be tried."""
        pending, submitted = deque[tuple[int, Callable[[], T]]](), begin
        while begin < count:
            while submitted < count and len(pending) <= self.threads:
                end = min(submitted + self.frames, count)
                call = pool.submit(render, submitted, end).result if pool else partial(render, submitted, end)
                pending.append((end, call))
                submitted = end
            end, result = pending.popleft()
            try:
                batch = result()
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                self._try_less(end - begin, error)
                batch = None
            if batch is None:
                # Outside of `except`, whose traceback keeps the failed batch's tensors alive.
                _abandon(pending, running=pool is not None)
                return
            yield end, batch
            begin = end

    def _try_less(self, frames: int, error: BaseException) -> None:
        """Halve the batch size after a batch of `frames` frames did not fit; after a single frame, the threads."""
        if frames > 1:
            self.frames = frames // 2
        elif self.threads > 1:
            self.threads //= 2
        else:
            raise MemoryLimitError(
                "not enough memory to render one frame; choose a smaller size, or run fewer jobs"
            ) from error


def _abandon(pending: deque[tuple[int, Callable[[], T]]], *, running: bool) -> None:
    """Drop batches of a size that does not fit, after those that are running have released their memory."""
    while pending:
        _, result = pending.popleft()
        if running:
            with suppress(MemoryError, RuntimeError):
                result()
    _free_memory()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory is exhausted, on the CPU or a GPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(part in str(error).lower() for part in OUT_OF_MEMORY)


def _free_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
