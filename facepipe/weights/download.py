"""Downloads that are what they claim: resumed after an interruption, checked, and only then given their name."""

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
#: Connections in a row that may end without one new byte before the download gives up.
IDLE_ATTEMPTS = 3


def download(
    url: str, target: Path, *, sha256: str, size_bytes: int, advance: Callable[[int], None] = lambda _bytes: None
) -> None:
    """Fetch `url` into `target`, which appears only when it is complete and its digest is right.

    The bytes gather in `<target>.part` beside it, where the next call goes on from. `advance` is told how many bytes
    are there so far. Raises WeightsError for an address that is not http(s), a server that fails, a file shorter or
    longer than `size_bytes`, and a wrong digest; only the last two discard what was fetched.
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
    """Hold `part` against a second process, which would mix its bytes into ours."""
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        held = part.open("ab")
    except OSError as error:
        raise WeightsError(f"cannot write {part}: {error.strerror}; $FACEPIPE_WEIGHTS names another folder") from error
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
    """Connect again and again, as long as each connection brings something, until `part` holds `size_bytes`."""
    idle, reason = 0, "the connection ended early"
    while (have := part.stat().st_size) < size_bytes:
        try:
            _receive(url, part, size_bytes, advance)
        except HTTPError as error:
            error.close()
            if error.code == 416:  # The server's file ends before ours does: what is here belongs to another file.
                part.unlink()
            raise WeightsError(f"cannot fetch {url}: the server answered {error.code} {error.reason}") from error
        except (OSError, HTTPException) as error:
            reason = str(error) or type(error).__name__
        idle = 0 if part.stat().st_size > have else idle + 1
        if idle == IDLE_ATTEMPTS:
            raise WeightsError(
                f"cannot fetch {url}: got {part.stat().st_size} of {size_bytes} bytes ({reason}); "
                "what came is kept, and running this again goes on from there"
            )
    if have > size_bytes:
        part.unlink()
        raise WeightsError(f"{url} holds more than the {size_bytes} bytes that the registry states: it is another file")


def _receive(url: str, part: Path, size_bytes: int, advance: Callable[[int], None]) -> None:
    """Append what one connection brings; start over where the server does not resume."""
    have = part.stat().st_size
    request = Request(url, headers={"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {})
    with urlopen(request, timeout=TIMEOUT_SECONDS) as answer, part.open("r+b") as file:
        have = have if _resumes(answer, have) else 0
        file.truncate(have)
        file.seek(have)
        # One byte too many is enough to know that this is another file, however long it goes on.
        while have <= size_bytes and (block := answer.read(min(BLOCK_BYTES, size_bytes + 1 - have))):
            file.write(block)
            have += len(block)
            advance(have)
        file.flush()
        os.fsync(file.fileno())


def _resumes(answer: HTTPResponse, have: int) -> bool:
    """Whether the answer begins at byte `have` and not, Range ignored, at the first."""
    return answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _check(url: str, part: Path, sha256: str) -> None:
    """Discard `part` and raise unless its digest is `sha256`."""
    with part.open("rb") as file:
        actual = digest_stream(file)
    if actual != sha256:
        part.unlink()
        raise WeightsError(
            f"{url} is not the registered file: expected sha256 {sha256}, got {actual}; the download was discarded; "
            "check the address, or the registry's digest if the file was renewed on purpose"
        )
