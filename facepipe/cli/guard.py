"""Errors as messages and exit codes. No other module prints errors."""

import os
import platform
import select
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from facepipe import __version__
from facepipe.errors import ExitCode, FailedItemsError, PrecheckError, as_expected
from facepipe.streams import failure_of

BROKEN_PIPE = 141
"""The exit code that a shell reports for a program ended by SIGPIPE."""


def _remember(context: typer.Context, verbose: bool) -> bool:
    # The program and its command share `meta`, so -v works before and after the command's name.
    context.meta["facepipe.verbose"] = verbose or context.meta.get("facepipe.verbose", False)
    return bool(context.meta["facepipe.verbose"])


#: The option -v of every command. The guard reads it; commands do not.
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Print more output, and the traceback of an error.",
        callback=_remember,
        rich_help_panel="Run",
    ),
]


class Guarded(TyperGroup):
    """The program. Turns every exception of a command into one message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises typer.Exit with the exit code of an error."""
        # Imported here, because help does not need the engine.
        from facepipe.engine.interruption import interruptible

        try:
            with interruptible():
                result = super().invoke(ctx)
                sys.stdout.flush()
        except (typer.Exit, typer.TyperException):
            raise
        except Exception as error:
            if isinstance(error, BrokenPipeError) and _reader_is_gone():
                _silence_output()
                raise typer.Exit(BROKEN_PIPE) from None
            raise typer.Exit(report(error, verbose=ctx.meta.get("facepipe.verbose", False))) from None
        return result


def report(error: Exception, *, verbose: bool) -> int:
    """Print an error to stderr and return its exit code."""
    from facepipe.engine.progress import printable

    expected = as_expected(error)
    if expected is None:
        _print_error(
            f"bug in facepipe ({type(error).__name__}: {error}); please report it and attach {_write_report(error)}"
        )
    else:
        # File names may contain line breaks and terminal escape sequences.
        messages: Sequence[object] = (expected,)
        if isinstance(expected, PrecheckError):
            messages = expected.errors
        elif isinstance(expected, FailedItemsError):
            messages = expected.lines
        _print_error("\n".join(printable(str(one)) for one in messages))
        if verbose and expected.detail:
            print("\n".join(map(printable, expected.detail.rstrip().splitlines())), file=sys.stderr)
    if verbose:
        traceback.print_exception(error)
    return int(ExitCode.BUG if expected is None else expected.exit_code)


def with_lost_output(code: int | str | None) -> int | str | None:
    """Return the exit code of the program. If stdout could not be written, print that; it makes 0 FAILED_ITEMS."""
    if failure := failure_of(sys.stdout):
        _print_error(
            f"stdout: the output could not be written ({failure.strerror or failure}) and is incomplete; files that "
            "were made are whole; free some space, or redirect stdout to another place"
        )
        return code or int(ExitCode.FAILED_ITEMS)
    return code


def _print_error(message: str) -> None:
    print(f"facepipe: {message}", file=sys.stderr)


def _write_report(error: Exception) -> str:
    """Write version, arguments and traceback of a bug to a file. Return its path, or how to get the traceback."""
    lines = [
        f"facepipe {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"arguments: {sys.argv[1:]!r}",
        "",
        *traceback.format_exception(error),
    ]
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="facepipe-bug-", suffix=".txt", delete=False, encoding="utf-8", errors="replace"
        ) as file:
            file.write("\n".join(lines))
    except OSError as failure:
        return f"the traceback that -v prints (the report could not be written: {failure})"
    return file.name


def _reader_is_gone() -> bool:
    """Return whether the broken pipe is stdout; a broken pipe to a child process would be a bug."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):  # no poll on Windows, no file descriptor in tests
        return True


def _silence_output() -> None:
    """Redirect stdout to null, because Python flushes it at exit and would report the broken pipe."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
