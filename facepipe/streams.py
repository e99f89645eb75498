"""The standard streams of the program: missing ones, and ones that cannot be written."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TextIO


class Lenient(io.RawIOBase):
    """A raw stream that drops what cannot be written, and keeps the first error. A reader that is gone is an error."""

    def __init__(self, raw: io.RawIOBase, *, messages: bool) -> None:
        super().__init__()
        self._raw = raw
        self._messages = messages
        self.failure: OSError | None = None

    def write(self, data: bytes, /) -> int | None:  # type: ignore[override]
        """Write some bytes and return their number. Raises BrokenPipeError, unless the stream is for messages."""
        if self.failure:
            return len(data)
        try:
            return self._raw.write(data)
        except BrokenPipeError as error:
            if not self._messages:
                raise
            self.failure = error
        except OSError as error:
            self.failure = error
        return len(data)

    def writable(self) -> bool:
        """Return True."""
        return True

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._raw.isatty()

    def fileno(self) -> int:
        """Return the descriptor of the stream."""
        return self._raw.fileno()


def secure_streams() -> None:
    """Open the null device for standard streams that are closed, and let no failed write of the others end the work.

    A closed descriptor would be given to the next file that is opened, and print would write into it.
    """
    for number in range(3):
        _fill(number)
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 (lives as long as the program)
    sys.stdout = _lenient(sys.stdout, messages=False)
    sys.stderr = _lenient(sys.stderr, messages=True)


def _fill(number: int) -> None:
    """Open the null device as a descriptor that is closed."""
    try:
        os.fstat(number)
    except OSError:
        with suppress(OSError):
            opened = os.open(os.devnull, os.O_RDWR)
            os.dup2(opened, number)  # inheritable, for child processes
            if opened != number:
                os.close(opened)
            else:
                os.set_inheritable(number, True)


def _lenient(stream: TextIO | None, *, messages: bool) -> TextIO:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(raw, io.RawIOBase):
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(Lenient(raw, messages=messages)),  # type: ignore[type-var]
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def failure_of(stream: TextIO) -> OSError | None:
    """Return the error after which a stream drops what is written to it, if there was one."""
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if not isinstance(raw, Lenient):
        return None
    with suppress(BrokenPipeError):
        stream.flush()
    return raw.failure
