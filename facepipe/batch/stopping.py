"""Signals: the first ends a batch gracefully, the second at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def first_signal(stop: Callable[[int], None]) -> Iterator[None]:
    """Call `stop` with the number of the first SIGINT or SIGTERM, then restore the previous handlers.

    Ignored signals stay ignored. Outside the main thread handlers cannot be set, and this does nothing.
    """
    numbers = SIGNALS if threading.current_thread() is threading.main_thread() else ()
    before: dict[int, Any] = {number: signal.getsignal(number) for number in numbers}

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        stop(number)
        _restore(before)

    for number in numbers:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, handle)
    try:
        yield
    finally:
        _restore(before)


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
