"""What can go wrong in a way a person can act on, and the exit code each such thing ends the program with."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

FailureClass = Literal["input", "no-face", "memory", "disk", "encoder", "weights", "usage", "interrupted", "bug"]


class ExitCode(IntEnum):
    """How the program ended, as its caller sees it."""

    DONE = 0
    BUG = 1
    USAGE = 2
    PRECHECK = 3
    FAILED_ITEMS = 4
    FAILURE_LIMIT = 5
    TRY_AGAIN = 75
    INTERRUPTED = 130


class FacepipeError(Exception):
    """An expected error: one clear message that ends in the remedy.

    `detail` holds what only a closer look needs (the tail of a child's stderr); `-v` shows it. `permanent` says that
    trying again without a change is useless. Both survive pickling, so that an error may cross a process border.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    failure_class: ClassVar[FailureClass] = "bug"
    permanent: bool = True
    detail: str = ""

    def __init__(self, message: str, *, detail: str = "", permanent: bool | None = None) -> None:
        super().__init__(message)
        self.detail = detail
        if permanent is not None:
            self.permanent = permanent


class UsageError(FacepipeError):
    """The command, a flag or a setting says something that cannot be done."""

    exit_code = ExitCode.USAGE
    failure_class = "usage"


class InputError(FacepipeError):
    """A file given by the user cannot be used: missing, unreadable, damaged, of the wrong kind or out of bounds."""

    exit_code = ExitCode.PRECHECK
    failure_class = "input"


class ToolError(FacepipeError):
    """An external program (ffmpeg) is missing or broken."""

    exit_code = ExitCode.PRECHECK
    failure_class = "encoder"


class WeightsError(FacepipeError):
    """A weight is missing, or is not the file its registry entry describes."""

    exit_code = ExitCode.PRECHECK
    failure_class = "weights"


class RecordError(FacepipeError):
    """A record in the work folder was written by another version of the program."""

    exit_code = ExitCode.PRECHECK
    failure_class = "disk"


class DiskError(FacepipeError):
    """A disk is full, read-only or closed to us, or failed."""

    exit_code = ExitCode.FAILED_ITEMS
    failure_class = "disk"
    permanent = False


class EncoderError(FacepipeError):
    """The encoder or decoder broke off in the middle of its work."""

    exit_code = ExitCode.FAILED_ITEMS
    failure_class = "encoder"


class NoFaceError(FacepipeError):
    """No usable face was found where one is needed."""

    exit_code = ExitCode.FAILED_ITEMS
    failure_class = "no-face"


class MemoryLimitError(FacepipeError):
    """The work did not fit into memory."""

    exit_code = ExitCode.FAILED_ITEMS
    failure_class = "memory"
    permanent = False


class BusyError(FacepipeError):
    """Another process holds what is needed; the same command will do later."""

    exit_code = ExitCode.TRY_AGAIN
    failure_class = "usage"
    permanent = False


class Interrupted(FacepipeError):  # noqa: N818 (the user's wish is no error)
    """The user (SIGINT) or the system (SIGTERM) asked the program to stop. What was published stays."""

    exit_code = ExitCode.INTERRUPTED
    failure_class = "interrupted"
    permanent = False


class PrecheckError(FacepipeError):
    """Everything that was found missing before the work began: all of it, not the first thing only."""

    exit_code = ExitCode.PRECHECK

    def __init__(self, errors: Sequence[FacepipeError]) -> None:
        self.errors = tuple(errors)
        detail = "\n".join(error.detail for error in self.errors if error.detail)
        permanent = any(error.permanent for error in self.errors)
        super().__init__("\n".join(str(error) for error in self.errors), detail=detail, permanent=permanent)

    @property
    def failure_class(self) -> FailureClass:  # type: ignore[override]
        """The class of the first error."""
        return self.errors[0].failure_class if self.errors else "usage"

    def __reduce__(self) -> tuple[type[PrecheckError], tuple[tuple[FacepipeError, ...]]]:
        # Exceptions are pickled by their message; this one is made from its errors.
        return type(self), (self.errors,)


class FailedItemsError(FacepipeError):
    """Some items of many failed; the others are done."""

    exit_code = ExitCode.FAILED_ITEMS
    failure_class = "input"

    def __init__(self, lines: Sequence[str], *, done: Sequence[Path] = (), detail: str = "") -> None:
        self.lines, self.done = tuple(lines), tuple(done)
        super().__init__("\n".join(self.lines), detail=detail)

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are pickled by their message; this one is made from its lines.
        return partial(type(self), done=self.done, detail=self.detail), (self.lines,)


def as_expected(error: Exception) -> FacepipeError | None:
    """Return an error as one that a person can act on; None for a bug."""
    if isinstance(error, FacepipeError):
        return error
    if isinstance(error, MemoryError):
        return MemoryLimitError("out of memory: close other programs, or lower --jobs or --size")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        where = f" ({error.filename})" if error.filename else ""
        return DiskError(f"{error.strerror}{where}: free some space, or choose another place for the result and --work")
    return None
