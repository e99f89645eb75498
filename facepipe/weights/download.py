"""Downloads that resume after an interruption and are verified before they get their final name."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from facepipe.engine.digest import digest_stream
from facepipe.errors import BusyError, WeightsError

if sys.platform != "win32":
    import fcntl

BLOCK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30.0
#: Number of consecutive connections without a new byte after which the download gives up.
IDLE_ATTEMPTS = 3


def download(
    url: str, target: Path, *, sha256: str, size_bytes: int, advance: Callable[[int], None] = lambda _bytes: None
) -> None:
    """Download `url` to `target`, which appears only when it is complete and its digest is correct.

    Partial data is stored in `<target>.part`, from which the next call continues. `advance` is called with the total
    number of bytes so far. Raises WeightsError if the URL is not http(s), the server fails, the file is not of
    `size_bytes`, or its digest is wrong. Partial data is kept unless it is known to belong to another file. Raises
    BusyError if another process is downloading the same file.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise WeightsError(f"cannot fetch {url}: expected an http:// or https:// address")
    part = target.with_name(target.name + ".part")
    with _alone(part):
        _gather(url, part, size_bytes, advance)
        _check(url, part, sha256)
        part.replace(target)


@contextlib.contextmanager
def _alone(part: Path) -> Iterator[None]:
    """Lock `part` against other processes, whose data would be mixed into it. Raises BusyError."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        held = part.open("ab")
    except OSError as error:
        raise WeightsError(f"cannot write {part}: {error.strerror}; set FACEPIPE_WEIGHTS to another folder") from error
    with held:
        if sys.platform != "win32":
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BusyError(f"another process is fetching {part}: wait for it, then run this again") from None
        try:
            yield
        finally:
            if part.exists() and not part.stat().st_size:
                part.unlink()


def _gather(url: str, part: Path, size_bytes: int, advance: Callable[[int], None]) -> None:
    """Reconnect until `part` has `size_bytes`, or IDLE_ATTEMPTS connections in a row have delivered nothing."""
    idle, reason = 0, "the connection ended early"
    while (have := part.stat().st_size) < size_bytes:
        try:
            _receive(url, part, size_bytes, advance)
        except HTTPError as error:
            error.close()
            if error.code == 416:  # The server's file is shorter than `part`, which belongs to another file.
                part.unlink()
            raise WeightsError(f"cannot fetch {url}: the server answered {error.code} {error.reason}") from error
        except (OSError, HTTPException) as error:
            reason = str(error) or type(error).__name__
        idle = 0 if part.stat().st_size > have else idle + 1
        if idle == IDLE_ATTEMPTS:
            raise WeightsError(
                f"cannot fetch {url}: got {part.stat().st_size} of {size_bytes} bytes ({reason}); "
                "the partial download is kept; run this again to resume it"
            )
    if have > size_bytes:
        part.unlink()
        raise WeightsError(f"{url} is larger than the {size_bytes} bytes in the registry: it is another file")


def _receive(url: str, part: Path, size_bytes: int, advance: Callable[[int], None]) -> None:
    """Append the data of one connection; start over if the server does not support resuming."""
    have = part.stat().st_size
    request = Request(url, headers={"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {})
    with urlopen(request, timeout=TIMEOUT_SECONDS) as answer, part.open("r+b") as file:
        have = have if _resumes(answer, have) else 0
        file.truncate(have)
        file.seek(have)
        # One byte too many shows that this is another file; the rest need not be read.
        while have <= size_bytes and (block := answer.read(min(BLOCK_BYTES, size_bytes + 1 - have))):
            file.write(block)
            have += len(block)
            advance(have)
        file.flush()
        os.fsync(file.fileno())


def _resumes(answer: HTTPResponse, have: int) -> bool:
    """Return True if the response starts at byte `have`, False if the server ignored the Range header."""
    return answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _check(url: str, part: Path, sha256: str) -> None:
    """Raise WeightsError and remove `part` unless its digest is `sha256`."""
    with part.open("rb") as file:
        actual = digest_stream(file)
    if actual != sha256:
        part.unlink()
        raise WeightsError(
            f"{url} is not the registered file: expected sha256 {sha256}, got {actual}; the download was discarded; "
            "check the URL, or the digest in the registry if the file was updated on purpose"
        )
