"""The program in new processes that need not load torch: they are forked from one that has loaded it.

Loading takes most of the time of a short job, and tests that kill processes start many, as do batches. Everything else
is as in a process of its own: its number, signals, standard output and error, environment, current folder and exit
code. Tests of the start itself use `subprocess`, or loky's workers.
"""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from joblib.externals.loky import ProcessPoolExecutor

from facepipe.batch.engines import IDLE_SECONDS

MODULES = ["tests.preloaded_modules"]


def preloading_context() -> ForkServerContext:
    """Return the context whose processes are forked from one that has loaded the modules."""
    context = get_context("forkserver")
    context.set_forkserver_preload(MODULES)
    return context


class Child:
    """A process of the program, with the methods of `subprocess.Popen` that the tests use.

    With `merged`, its standard error goes where its standard output goes.
    """

    def __init__(
        self, arguments: Sequence[str | Path], variables: Mapping[str, str], folder: Path, *, merged: bool = False
    ) -> None:
        context = preloading_context()
        (output, its_output), (errors, its_errors) = context.Pipe(duplex=False), context.Pipe(duplex=False)
        ends = its_output, its_output if merged else its_errors
        given = [*map(str, arguments)], {**os.environ, **variables}, folder
        self._process = context.Process(target=_run, args=(*given, *ends))
        self._process.start()
        its_output.close()
        its_errors.close()
        self.stdout, self.stderr = (os.fdopen(os.dup(end.fileno()), "rb") for end in (output, errors))

    @property
    def pid(self) -> int:
        """Return the process number."""
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._process.exitcode

    def wait(self) -> int:
        """Wait until it has ended, and return the exit code."""
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal to it."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self._process.kill()

    def communicate(self) -> tuple[bytes, bytes]:
        """Wait until it has ended, and return what it wrote to its standard output and error."""
        errors = io.BytesIO()
        reader = threading.Thread(target=lambda: errors.write(self.stderr.read()))
        reader.start()
        output = self.stdout.read()
        reader.join()
        self.stdout.close()
        self.stderr.close()
        self.wait()
        return output, errors.getvalue()


def new_seat(seats: Any) -> ProcessPoolExecutor:
    """Return an executor of one preloaded process, in place of `facepipe.batch.engines._Seats._new`."""
    variables = {**os.environ, **seats._engine.environment()}
    return ProcessPoolExecutor(
        max_workers=1, timeout=IDLE_SECONDS, context=preloading_context(), initializer=_adopt,
        initargs=(variables, Path.cwd()),
    )  # fmt: skip


def _adopt(variables: Mapping[str, str], folder: Path) -> None:
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)


def _run(arguments: list[str], variables: dict[str, str], folder: Path, output: Connection, errors: Connection) -> None:
    os.dup2(output.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    output.close()
    errors.close()
    _adopt(variables, folder)
    sys.argv = ["facepipe", *arguments]
    from facepipe.cli import main

    main()
