"""The ffmpeg program: its path, its capabilities, and how it is run."""

import importlib
import io
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import ffmpeg

from facepipe.errors import ToolError

if sys.platform == "linux":
    import fcntl

# Self-contained formats. Playlists, concat scripts and network formats are excluded, as they make ffmpeg open other
# files.
_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,flv,live_flv,asf,ogg,mxf,nut,dv,"
    "wav,w64,aiff,mp3,aac,flac,ac3,eac3,amr,caf,au"
)
_INPUT_OPTIONS = {"protocol_whitelist": "file,pipe", "format_whitelist": _FORMATS}
# For all decoders. Fixed, as the frames decoded from a damaged stream depend on it.
_DECODING_THREADS = 2
# Maps Python's surrogate escapes, which stand for bytes of a name that are not UTF-8, to private-use characters.
_TO_PRIVATE_USE = {0xDC00 + byte: 0x10FF00 + byte for byte in range(0x80, 0x100)}
_FROM_PRIVATE_USE = {character: surrogate for surrogate, character in _TO_PRIVATE_USE.items()}
_TAIL_LINES = 40
_PIPE_BYTES = 1 << 20
_ANSWER_SECONDS = 30


def find_ffmpeg() -> str:
    """Return the path of a working ffmpeg: $FACEPIPE_FFMPEG, else the one on PATH, else imageio-ffmpeg's.

    Raises ToolError if none is found, or if the first one found does not work.
    """
    named = os.environ.get("FACEPIPE_FFMPEG")
    program = shutil.which(named) if named else shutil.which("ffmpeg") or _bundled_ffmpeg()
    if program is None:
        raise ToolError(
            f"FACEPIPE_FFMPEG names {named}, which is not a program; correct or unset it"
            if named
            else "ffmpeg was not found; install it, or `pip install imageio-ffmpeg`, or set FACEPIPE_FFMPEG to its path"
        )
    ffmpeg_version(program)
    return program


def _bundled_ffmpeg() -> str | None:
    # Imported only when needed: it searches the environment, and most machines have an ffmpeg on PATH.
    try:
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


@lru_cache(maxsize=16)
def ffmpeg_version(program: str) -> str:
    """Return the version of an ffmpeg. Raises ToolError if it does not report one."""
    first = _answer(program, "-version").partition("\n")[0]
    found = re.match(r"ffmpeg version (\S+)", first)
    if found is None:
        raise ToolError(
            f"{program} is not a working ffmpeg (its -version output starts with {first[:80]!r}); "
            "repair it, or set FACEPIPE_FFMPEG to another"
        )
    return found[1]


@lru_cache(maxsize=16)
def encoders(program: str) -> frozenset[str]:
    """Return the names of an ffmpeg's encoders, such as "libx264"."""
    return frozenset(re.findall(r"^ [VAS][.A-Z]{5} (\S+)", _answer(program, "-encoders"), re.MULTILINE)) - {"="}


@lru_cache(maxsize=16)
def decoders(program: str) -> frozenset[str]:
    """Return the names of an ffmpeg's decoders, such as "libvpx-vp9"."""
    return frozenset(re.findall(r"^ [VAS][.A-Z]{5} (\S+)", _answer(program, "-decoders"), re.MULTILINE)) - {"="}


@lru_cache(maxsize=16)
def filters(program: str) -> frozenset[str]:
    """Return the names of an ffmpeg's filters, such as "zscale"."""
    return frozenset(re.findall(r"^ [.TSC]{2,3} (\S+) ", _answer(program, "-filters"), re.MULTILINE))


def _answer(program: str, option: str) -> str:
    try:
        done = subprocess.run(
            [program, "-hide_banner", option],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = error.strerror if isinstance(error, OSError) else f"it did not answer within {_ANSWER_SECONDS} s"
        raise ToolError(
            f"{program} could not be run ({reason}); repair it, or set FACEPIPE_FFMPEG to another"
        ) from error
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        raise ToolError(
            f"{program} is not a working ffmpeg ({option} ended with code {done.returncode}); "
            "repair it, or set FACEPIPE_FFMPEG to another",
            detail=done.stderr.decode("utf-8", "replace")[-2000:],
        )
    return text


def file_url(path: Path) -> str:
    """Return a file URL that ffmpeg cannot mistake for an option or another protocol.

    Bytes of the name that are not UTF-8 are replaced by private-use characters, as ffmpeg-python accepts only UTF-8;
    `arguments` restores them.
    """
    return f"file:{path.absolute()}".translate(_TO_PRIVATE_USE)


def input_file(path: Path, **options: Any) -> Any:
    """Return the ffmpeg-python input for one media file. It cannot open other files or the network."""
    return ffmpeg.input(file_url(path), threads=_DECODING_THREADS, **_INPUT_OPTIONS, **options)


def input_stdin(**options: Any) -> Any:
    """Return the ffmpeg-python input for a media stream on stdin. It cannot open files or the network."""
    return ffmpeg.input(
        "pipe:0", threads=_DECODING_THREADS, **{**_INPUT_OPTIONS, "protocol_whitelist": "pipe"}, **options
    )


def arguments(
    stream: Any, *, loglevel: str = "warning", reads_stdin: bool = False, portable: bool = False
) -> list[str]:
    """Return the command line, program first, that runs an ffmpeg-python graph.

    `portable` turns off the code for extensions of the processor, so that the last bits of sound do not depend on it.
    """
    options = ["-hide_banner", "-nostats", "-loglevel", loglevel, *(() if reads_stdin else ("-nostdin",))]
    options += [*_filter_options(), *(("-cpuflags", "0") if portable else ())]
    command: list[str] = ffmpeg.compile(stream.global_args(*options), cmd=find_ffmpeg(), overwrite_output=True)
    return [argument.translate(_FROM_PRIVATE_USE) for argument in command]


def _filter_options() -> list[str]:
    """Limit filter threads to OMP_NUM_THREADS, if set; ffmpeg's default is one thread per core of the machine."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return ["-filter_threads", threads] if threads.isdigit() and int(threads) else []


class Child:
    """A running ffmpeg. A thread reads its stderr, so that it never blocks, and keeps the first and last lines."""

    def __init__(
        self,
        command: list[str],
        *,
        frames_in: bool = False,
        data_out: bool = False,
        signs: re.Pattern[bytes] | None = None,
        passes_stdin: bool = False,
        passes_stdout: bool = False,
        passes: Sequence[int] = (),
    ) -> None:
        """Start `command`. `frames_in` makes its stdin a pipe, `data_out` its stdout; otherwise they are /dev/null.

        With `passes_stdin` it reads the stdin of this program, with `passes_stdout` it writes to its stdout. `passes`
        are further descriptors that it may use. `signs` is a pattern of named groups for the lines of stderr that are
        counted in `counts`.
        """
        try:
            self._process = subprocess.Popen(
                command,
                stdin=None if passes_stdin else subprocess.PIPE if frames_in else subprocess.DEVNULL,
                stdout=None if passes_stdout else subprocess.PIPE if data_out else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=tuple(passes),
                bufsize=0,
                env={**os.environ, "AV_LOG_FORCE_NOCOLOR": "1"},
                # Keep Ctrl-C from the child; this process ends it.
                start_new_session=True,
            )
        except OSError as error:
            raise ToolError(
                f"{command[0]} could not be run ({error.strerror}); set FACEPIPE_FFMPEG to another"
            ) from error
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _widen(pipe.fileno())
        self._tail: deque[bytes] = deque(maxlen=_TAIL_LINES)
        self._head: list[bytes] = []
        self._signs = signs
        self.counts: Counter[str] = Counter()
        """Number of lines of stderr by the group of `signs` that they match."""
        self._drain = threading.Thread(target=self._drain_stderr, name="ffmpeg-stderr", daemon=True)
        self._drain.start()

    def _drain_stderr(self) -> None:
        assert self._process.stderr is not None
        for line in io.BufferedReader(self._process.stderr):  # type: ignore[type-var]
            # The first lines describe the input; a damaged file may cause any number after them.
            (self._head if len(self._head) < 400 else self._tail).append(line)
            if self._signs and (found := self._signs.search(line)):
                self.counts[found.lastgroup or ""] += 1

    @property
    def stdin(self) -> IO[bytes]:
        """The pipe to the child's stdin."""
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """The pipe from the child's stdout."""
        assert self._process.stdout is not None
        return self._process.stdout

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        # Has no effect if the caller has waited for the child.
        self.kill()
        self.wait()

    def wait(self) -> int:
        """Wait for the child to end, close the pipes and return the exit code. stderr is complete afterwards."""
        code = self._process.wait()
        self._drain.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        return code

    @property
    def is_running(self) -> bool:
        """Whether the child has not ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill the child. Does nothing if it has ended."""
        self._process.kill()

    @property
    def messages(self) -> str:
        """The first and the last lines of the child's stderr."""
        return b"".join([*self._head, *self._tail]).decode("utf-8", "replace")

    @property
    def tail(self) -> str:
        """The last lines of stderr, for the `detail` of an error."""
        return "\n".join(self.messages.splitlines()[-_TAIL_LINES:])


def _widen(pipe: int) -> None:
    # A 256x256 frame is three times the default pipe size of 64 KiB. Linux may refuse more, which is harmless.
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def run(command: list[str]) -> tuple[int, str, str]:
    """Run an ffmpeg command; return its exit code, its messages, and their last lines."""
    with Child(command) as child:
        code = child.wait()
    return code, child.messages, child.tail
