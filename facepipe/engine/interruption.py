"""Being asked to stop: by Ctrl-C, by a scheduler, by a terminal that closes."""

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
    """Let SIGTERM and SIGHUP unwind the program as Ctrl-C does, and end either way in Interrupted.

    Inside, the request travels as KeyboardInterrupt, which no `except Exception` of a stage swallows. Outside the main
    thread no handler can be set; there it only translates.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
        # What was ignored on purpose (nohup) stays ignored.
        before = {n: signal.signal(n, _stop) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
    try:
        yield
    except KeyboardInterrupt as error:
        name = str(error) or "Ctrl-C"
        raise Interrupted(f"stopped by {name}; finished stages are kept, run the same command to go on") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    del frame
    # Schedulers send it again and again; the clean-up that the first one sets off must not be cut short.
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt(signal.Signals(number).name)
