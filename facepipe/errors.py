"""Errors that a user can act on, and the exit code of each."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

FailureClass = Literal["input", "no-face", "memory", "disk", "encoder", "weights", "usage", "interrupted", "bug"]


class ExitCode(IntEnum):
    """Exit codes of the program."""

    DONE = 0
    BUG = 1
    USAGE = 2
    PRECHECK = 3
    FAILED_ITEMS = 4
    FAILURE_LIMIT = 5
    TRY_AGAIN = 75
    INTERRUPTED = 130


class FacepipeError(Exception):
    """Base class of expected errors. The message is one clear sentence that ends in the remedy.

    `detail` is additional text for debugging (such as ffmpeg's last messages), printed with `-v`. `permanent` is True
    if a retry without a change cannot succeed. Both survive pickling, so that an error can be sent between processes.
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
    """A command, flag or setting is invalid."""

    exit_code = ExitCode.USAGE
    failure_class = "usage"


class InputError(FacepipeError):
    """A file given by the user cannot be used: missing, unreadable, damaged, of the wrong type or beyond a limit."""

    exit_code = ExitCode.PRECHECK
    failure_class = "input"


class ToolError(FacepipeError):
    """An external program (ffmpeg) is missing or does not work."""

    exit_code = ExitCode.PRECHECK
    failure_class = "encoder"


class WeightsError(FacepipeError):
    """A weight file is missing, or does not match its registry entry."""

    exit_code = ExitCode.PRECHECK
    failure_class = "weights"


class RecordError(FacepipeError):
    """A record in the work folder was written by another version of the program."""

    exit_code = ExitCode.PRECHECK
    failure_class = "disk"


class DiskError(FacepipeError):
    """A disk is full, read-only, not writable for this user, or failed."""

    exit_code = ExitCode.FAILED_ITEMS
    failure_class = "disk"
    permanent = False


class EncoderError(FacepipeError):
    """The encoder or decoder failed during its work."""

    exit_code = ExitCode.FAILED_ITEMS
    failure_class = "encoder"


class NoFaceError(FacepipeError):
    """No usable face was found where one is required."""

    exit_code = ExitCode.FAILED_ITEMS
    failure_class = "no-face"


class MemoryLimitError(FacepipeError):
    """The work ran out of memory."""

    exit_code = ExitCode.FAILED_ITEMS
    failure_class = "memory"
    permanent = False


class BusyError(FacepipeError):
    """Another process uses a required resource. The same command can be run again later."""

    exit_code = ExitCode.TRY_AGAIN
    failure_class = "usage"
    permanent = False


class Interrupted(FacepipeError):  # noqa: N818 (a request to stop is not an error)
    """The user (SIGINT) or the system (SIGTERM) requested the program to stop. Published results are kept."""

    exit_code = ExitCode.INTERRUPTED
    failure_class = "interrupted"
    permanent = False


class PrecheckError(FacepipeError):
    """All problems that were found before the work started, not only the first one."""

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
        # By default exceptions are pickled with their message; the argument of this one is its errors.
        return type(self), (self.errors,)


class OptionsError(PrecheckError):
    """Several options of a command are invalid."""

    exit_code = ExitCode.USAGE


class FailedItemsError(FacepipeError):
    """Some of several items failed; the others are done."""

    exit_code = ExitCode.FAILED_ITEMS
    failure_class = "input"

    def __init__(self, lines: Sequence[str], *, done: Sequence[Path] = (), detail: str = "") -> None:
        self.lines, self.done = tuple(lines), tuple(done)
        super().__init__("\n".join(self.lines), detail=detail)

    def __reduce__(self) -> tuple[Any, ...]:
        # By default exceptions are pickled with their message; the argument of this one is its lines.
        return partial(type(self), done=self.done, detail=self.detail), (self.lines,)


_REMEDIES = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT, errno.EROFS),
        "free some space, or choose another place for the result and --work",
    ),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM),
        "change its permissions or those of a folder above it, or choose another place for the result and --work",
    ),
    **dict.fromkeys((errno.EIO, errno.ESTALE, errno.ENOTCONN), "check the disk or the network folder, then run again"),
}


def as_expected(error: Exception) -> FacepipeError | None:
    """Return an error as one that a person can act on; None for a bug."""
    if isinstance(error, FacepipeError):
        return error
    if isinstance(error, MemoryError):
        return MemoryLimitError("out of memory: close other programs, or lower --jobs or --size")
    if isinstance(error, OSError) and (remedy := _REMEDIES.get(error.errno or 0)):
        where = f" ({error.filename})" if error.filename else ""
        return DiskError(f"{error.strerror}{where}: {remedy}")
    return None
