"""The program as a shell sees it: speed, exit codes, what goes to which stream."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from facepipe import __version__
from facepipe.cli import app
from facepipe.cli.guard import Guarded, Verbose
from facepipe.errors import EncoderError, PrecheckError, UsageError, WeightsError
from facepipe.weights import THIRD_PARTY

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "cv2", "numba", "numpy", "rich", "scipy", "safetensors", "ffmpeg", "facepipe.engine")


def run(*arguments: str, code: str = "from facepipe.cli import main; main()") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def program(error: BaseException) -> typer.Typer:
    """A program with one command, which raises."""
    made = typer.Typer(cls=Guarded, rich_markup_mode=None, pretty_exceptions_enable=False)

    @made.callback()
    def root(_verbose: Verbose = False) -> None: ...

    @made.command("go")
    def go(_verbose: Verbose = False) -> None:
        raise error

    return made


def test_help_waits_for_nothing_heavy() -> None:
    code = f"import sys, facepipe.cli; print([name for name in {HEAVY} if name in sys.modules])"
    assert run(code=code).stdout.strip() == "[]"


def test_help_names_the_commands() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "doctor" in done.stdout


def test_every_command_has_help() -> None:
    commands = [["doctor"], ["weights"], *(["weights", name] for name in ("list", "verify", "fetch", "add"))]
    for command in commands:
        result = CliRunner().invoke(app, [*command, "--help"])
        assert result.exit_code == 0
        assert "--help" in result.output


def test_help_names_all_kinds_of_weights() -> None:
    output = " ".join(CliRunner().invoke(app, ["weights", "add", "--help"]).output.split())
    for name, weight in THIRD_PARTY.items():
        assert re.search(rf"\b{weight.kind or name}\b", output), name


def test_version() -> None:
    assert run("--version").stdout == f"facepipe {__version__}\n"


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["doctor", "surplus"], ["weights", "add"]])
def test_usage_errors_are_2_and_go_to_stderr(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage:" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError("do so"), 2), (WeightsError("do so"), 3), (EncoderError("do so"), 4)]
)
def test_expected_errors_are_one_line(error: Exception, code: int) -> None:
    result = CliRunner().invoke(program(error), ["go"])
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "facepipe: do so\n")


@pytest.mark.parametrize("arguments", [["-v", "go"], ["go", "-v"], ["go", "--verbose"]])
def test_v_shows_detail_and_traceback(arguments: list[str]) -> None:
    result = CliRunner().invoke(program(EncoderError("do so", detail="x264 said no")), arguments)
    assert result.exit_code == 4
    assert "x264 said no" in result.stderr
    assert "Traceback" in result.stderr


def test_all_that_a_precheck_found_is_said() -> None:
    result = CliRunner().invoke(program(PrecheckError([WeightsError("one"), WeightsError("two")])), ["go"])
    assert result.exit_code == 3
    assert result.stderr == "facepipe: one\ntwo\n"


def test_a_bug_is_one_line_and_a_file() -> None:
    result = CliRunner().invoke(program(KeyError("x")), ["go"])
    assert result.exit_code == 1
    assert result.stderr.startswith("facepipe: bug in facepipe (KeyError: 'x')")
    assert result.stderr.count("\n") == 1
    report = Path(result.stderr.split()[-1])
    assert "Traceback" in report.read_text("utf-8")
    report.unlink()


def test_a_bug_is_told_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", refuse)
    result = CliRunner().invoke(program(KeyError("x")), ["go"])
    assert result.exit_code == 1
    assert "could not be written" in result.stderr


def test_a_full_disk_and_memory_are_no_bugs() -> None:
    result = CliRunner().invoke(program(OSError(errno.ENOSPC, "No space left on device", "out.mp4")), ["go"])
    assert result.exit_code == 4
    assert "No space left on device (out.mp4)" in result.stderr
    assert CliRunner().invoke(program(MemoryError()), ["go"]).exit_code == 4


def test_an_interrupt_is_130() -> None:
    result = CliRunner().invoke(program(KeyboardInterrupt()), ["go"])
    assert result.exit_code == 130
    assert result.stderr.startswith("facepipe: stopped by")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("signal_name", ["SIGINT", "SIGTERM"])
def test_an_interrupt_from_outside_is_130(signal_name: str) -> None:
    code = (
        "import time, typer\nfrom facepipe.cli import app, main\n"
        "@app.command('wait')\ndef wait() -> None:\n    print('ready', flush=True)\n    time.sleep(30)\nmain()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, "wait"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.Signals[signal_name])
    _, printed = child.communicate()
    assert child.returncode == 130
    assert "Traceback" not in printed


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_reader_that_goes_away_is_141_and_quiet() -> None:
    code = (
        "from facepipe.cli import app, main\n"
        "@app.command('talk')\ndef talk() -> None:\n    for _ in range(100_000):\n        print('x' * 100)\nmain()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, "talk"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.read(10)
    child.stdout.close()
    assert child.stderr.read() == b""
    child.stderr.close()
    assert child.wait(30) == 141
