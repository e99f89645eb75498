"""Handling of requests to stop: Ctrl-C, a scheduler, a terminal that closes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from facepipe.errors import Interrupted

SIGNALS = ("SIGTERM", "SIGHUP")


@contextmanager
def interruptible() -> Iterator[None]:
    """Make SIGTERM and SIGHUP unwind the program like Ctrl-C, and raise Interrupted for all three.

    Inside the block a request to stop is a KeyboardInterrupt, which `except Exception` in a stage does not catch. No
    handler can be set outside the main thread; there KeyboardInterrupt is only translated to Interrupted.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
        # Signals ignored on purpose (nohup) stay ignored.
        before = {n: signal.signal(n, _stop) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
    try:
        yield
    except KeyboardInterrupt as error:
        name = str(error) or "Ctrl-C"
        raise Interrupted(f"stopped by {name}; finished stages are kept, run the same command to continue") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    del frame
    # Schedulers repeat the signal; it must not interrupt the clean-up that the first one started.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)
