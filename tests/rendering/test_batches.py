"""Batches, which are halved when memory is short."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from facepipe.errors import MemoryLimitError
from facepipe.rendering.batches import Batches, is_out_of_memory


@pytest.mark.parametrize(
    "error", [MemoryError(), torch.OutOfMemoryError("CUDA"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_the_batch_is_halved_down_to_what_fits(error: Exception) -> None:
    tried: list[int] = []

    def render(begin: int, end: int) -> list[int]:
        tried.append(end - begin)
        if end - begin > 2:
            raise error
        return list(range(begin, end))

    batches = Batches(8)
    assert [frame for batch in batches.run(9, render) for frame in batch] == list(range(9))
    assert tried == [8, 4, 2, 2, 2, 2, 1]
    assert batches.frames == 2


def test_parallel_batches_are_in_order_and_use_one_thread_each() -> None:
    threads: set[tuple[str, int]] = set()

    def render(begin: int, end: int) -> list[int]:
        time.sleep(0.02 if begin % 4 else 0.0)
        threads.add((threading.current_thread().name, torch.get_num_threads()))
        return list(range(begin, end))

    before = torch.get_num_threads()
    assert [frame for batch in Batches(2, 2).run(15, render) for frame in batch] == list(range(15))
    assert len(threads) == 2
    assert {count for _, count in threads} == {1}
    assert torch.get_num_threads() == before


def test_parallel_batches_are_halved_too() -> None:
    def render(begin: int, end: int) -> list[int]:
        if end - begin > 1:
            raise MemoryError
        return list(range(begin, end))

    batches = Batches(4, 2)
    assert [frame for batch in batches.run(9, render) for frame in batch] == list(range(9))
    assert batches.frames == 1


def test_frames_that_do_not_fit_in_parallel_are_rendered_by_fewer_threads() -> None:
    def render(begin: int, end: int) -> list[int]:
        if batches.threads > 2:
            raise MemoryError
        return list(range(begin, end))

    batches = Batches(1, 4)
    assert [frame for batch in batches.run(9, render) for frame in batch] == list(range(9))
    assert (batches.frames, batches.threads) == (1, 2)


def test_a_single_frame_that_does_not_fit_is_a_memory_error() -> None:
    tried: list[int] = []

    def render(begin: int, end: int) -> None:
        tried.append(end - begin)
        raise MemoryError

    with pytest.raises(MemoryLimitError) as caught:
        list(Batches(4).run(4, render))
    assert tried == [4, 2, 1]
    assert caught.value.failure_class == "memory"


def test_other_errors_are_raised() -> None:
    def render(begin: int, end: int) -> None:
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        list(Batches(4).run(4, render))


def test_torchs_out_of_memory_error_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
