"""Claims: files that record which process does a piece of work. They work on any file system, network ones too."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Literal

from facepipe.engine.disk import disk_errors
from facepipe.engine.draft import draft_beside, is_running, this_host

STALE_SECONDS = 120.0
"""A claim that was not touched for this long is taken over."""
BEATS_PER_STALE = 8
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.02, 0.5

Sign = tuple[str, int]
Verdict = Literal["free", "dead", "live", "unknown"]


@cache
def this_machine() -> str:
    """Return "host.boot.pid-namespace". Whether a process is alive can be checked only where all three are the same."""
    boot, space = "", ""
    if sys.platform == "linux":
        with suppress(OSError):
            boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")[:8]
            space = str(Path("/proc/self/ns/pid").readlink())[5:-1]
    return f"{this_host()}.{boot}.{space}"


def birth_of(pid: int) -> str:
    """Return the start time of a process on this machine, which distinguishes it from a later process with its pid."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19].decode()
    return ""


def process_token() -> str:
    """Return a unique name for this process: machine, pid, start time and 8 random hex digits."""
    return f"{this_machine()} {os.getpid()} {birth_of(os.getpid())} {os.urandom(4).hex()}"


def is_process_dead(token: str) -> bool | None:
    """Return True if the process of a token has ended, or None if it cannot be checked from this machine."""
    parts = token.split(" ")
    if len(parts) != 4 or parts[0] != this_machine() or not parts[1].isdigit():
        return None
    pid = int(parts[1])
    return not is_running(pid) or birth_of(pid) != parts[2]


class Claims:
    """Named claims on work. One process at a time holds a name.

    A claim is a file that is created exclusively and touched by `beat`. A claim of this machine is dead when its
    process has ended; a claim of another machine is dead when it was watched for `stale_seconds` without being touched.
    Clocks of different machines are never compared, as they may differ or be set back. In the worst case two processes
    do the same work and the first result is kept.
    """

    def __init__(self, folder: Path, *, stale_seconds: float = STALE_SECONDS) -> None:
        self.token = process_token()
        self.stale_seconds = stale_seconds
        self._folder = folder
        self._held: set[str] = set()
        self._buried: set[str] = set()
        self._watched: dict[str, tuple[Sign, float, bool]] = {}
        self._lock = threading.Lock()

    @property
    def beat_seconds(self) -> float:
        """The longest allowed interval between two calls of `beat`."""
        return self.stale_seconds / BEATS_PER_STALE

    def take(self, name: str) -> bool:
        """Claim a name; return False if another process holds it and is not known to be dead. Raises DiskError."""
        path = self.path(name)
        with disk_errors(self._folder):
            taken = self._create(path) or (self.judge(name) == "dead" and self._take_over(path))
        if taken:
            with self._lock:
                self._held.add(name)
                self._watched.pop(name, None)
        return taken

    def release(self, name: str) -> None:
        """Release a name. A claim that another process took over meanwhile (this one was suspended) is left alone."""
        with self._lock:
            self._held.discard(name)
        path = self.path(name)
        with suppress(OSError):
            if path.read_text("utf-8") == self.token:
                path.unlink()

    @contextmanager
    def turn(self, name: str, check: Callable[[], None]) -> Iterator[bool]:
        """Hold a name for the `with` block; yield True if it had to wait. `check` runs while waiting and may raise."""
        waited, pause = False, FIRST_WAIT_SECONDS
        while not self.take(name):
            check()
            waited = True
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_WAIT_SECONDS)
        try:
            yield waited
        finally:
            self.release(name)

    @contextmanager
    def hold_places(self, paths: Iterable[Path], check: Callable[[], None]) -> Iterator[None]:
        """Hold files that are about to be written for the `with` block; `check` is that of `turn`."""
        places = {os.fsencode(path.parent.resolve() / path.name) for path in paths}
        with ExitStack() as held:
            for name in sorted(hashlib.sha256(place).hexdigest() for place in places):  # in one order: no deadlock
                held.enter_context(self.turn(name, check))
            yield

    @property
    def holds_any(self) -> bool:
        """True if this process holds a claim."""
        return bool(self._held)

    def beat(self) -> None:
        """Touch the held claims, which shows other processes that this one is alive."""
        with self._lock:
            held = list(self._held)
        for name in held:
            with suppress(OSError):
                os.utime(self.path(name))

    def holder(self, name: str) -> str | None:
        """Return the token of the process that holds a name, dead or alive, or None if the name is free."""
        try:
            return self.path(name).read_text("utf-8", "replace")
        except OSError:
            return None

    def judge(self, name: str) -> Verdict:
        """Return the state of a name: "free", "dead", "live", or "unknown" while its holder is being watched."""
        sign = self._sign(name)
        if sign is None:
            return "free"
        known = is_process_dead(sign[0])
        if known is not None:
            return "dead" if known else "live"
        if sign[0] in self._buried:
            return "dead"
        now = time.monotonic()
        with self._lock:
            seen, since, touched = self._watched.get(name, (sign, now, False))
            if seen != sign:
                since, touched = now, True
            self._watched[name] = (sign, since, touched)
        if now - since >= self.stale_seconds:
            self.bury(sign[0])
            return "dead"
        return "live" if touched else "unknown"

    def bury(self, token: str) -> None:
        """Treat a process and all its claims as dead. For callers that have watched it for long enough."""
        self._buried.add(token)

    def sweep(self) -> None:
        """Remove the claims of dead processes. Work finished just before a process died is not claimed again."""
        for name in list(self.names()):
            sign = self._sign(name)
            if sign and self.judge(name) == "dead" and self._sign(name) == sign:
                with suppress(OSError):
                    self.path(name).unlink()

    def names(self) -> Iterator[str]:
        """Yield all claimed names, those of dead processes included."""
        with suppress(OSError):
            for shard in sorted(os.scandir(self._folder), key=lambda entry: entry.name):
                with suppress(OSError):
                    yield from sorted(entry.name for entry in os.scandir(shard) if "." not in entry.name)

    def path(self, name: str) -> Path:
        """Return the path of the claim file of a name."""
        return self._folder / name[:2] / name

    def _sign(self, name: str) -> Sign | None:
        path = self.path(name)
        try:
            return path.read_text("utf-8", "replace"), path.stat().st_mtime_ns
        except OSError:
            return None

    def _create(self, path: Path) -> bool:
        while True:
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
            except FileExistsError:
                return False
            except FileNotFoundError:
                # No fsync: after a power cut no process is left whose claim could matter.
                path.parent.mkdir(parents=True, exist_ok=True)
                continue
            try:
                os.write(handle, self.token.encode())
            except OSError:
                path.unlink(missing_ok=True)  # disk full; a claim without a token would look like another process's
                raise
            finally:
                os.close(handle)
            return True

    def _take_over(self, path: Path) -> bool:
        """Replace the claim of a dead process by this one's. If several processes try, the last one gets it."""
        draft = draft_beside(path)
        try:
            draft.write_text(self.token, "utf-8")
            draft.replace(path)
            return path.read_text("utf-8") == self.token
        except FileNotFoundError:
            return False
        finally:
            draft.unlink(missing_ok=True)
