"""The one place where errors become messages and exit codes."""

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

BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ended, as it would have ended this one."""


def _remember(context: typer.Context, verbose: bool) -> None:
    # `meta` is shared by the program and its command, so -v counts before and after the command's name.
    context.meta["facepipe.verbose"] = verbose or context.meta.get("facepipe.verbose", False)


#: The option -v of every command; the guard reads it, a command need not.
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say more; for an error, all of it.", callback=_remember)
]


class Guarded(TyperGroup):
    """The program. Whatever a command raises ends here, as one message and an exit code that tells the truth."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raise typer.Exit with the code of what went wrong."""
        # Here, not above: help is given without the engine.
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
    """Tell the user of an error, on stderr, and return the exit code that it ends the program with."""
    from facepipe.engine.progress import printable

    expected = as_expected(error)
    if expected is None:
        _say(
            f"this is a bug in facepipe ({type(error).__name__}: {error}); please report it with {_write_report(error)}"
        )
    else:
        # Names of files are whatever their owners wished: they shall move no cursor and break no line.
        told: Sequence[object] = (expected,)
        if isinstance(expected, PrecheckError):
            told = expected.errors
        elif isinstance(expected, FailedItemsError):
            told = expected.lines
        _say("\n".join(printable(str(one)) for one in told))
        if verbose and expected.detail:
            print(expected.detail.rstrip(), file=sys.stderr)
    if verbose:
        traceback.print_exception(error)
    return int(ExitCode.BUG if expected is None else expected.exit_code)


def _say(message: str) -> None:
    print(f"facepipe: {message}", file=sys.stderr)


def _write_report(error: Exception) -> str:
    """Write down what a developer needs to know of a bug; return where."""
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
    except OSError as hindrance:
        return f"the traceback that -v shows (it could not be written down: {hindrance})"
    return file.name


def _reader_is_gone() -> bool:
    """Whether the pipe that broke was our output, and not one to a child of ours, which would be a bug."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except (AttributeError, OSError, ValueError):  # Windows has no poll, a test no file.
        return True


def _silence_output() -> None:
    """Let what is still buffered go nowhere: Python flushes once more as it ends, and would complain."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        return
