"""The files of registered weights: lookup, verification and download. No file is ever unpickled."""

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facepipe.engine.digest import digest_stream
from facepipe.errors import WeightsError
from facepipe.weights.download import download
from facepipe.weights.registry import REGISTRY, Weight, embedded_folder, is_there, lookup, read_registry, user_folder


@dataclass(frozen=True)
class WeightFile:
    """A verified weight file on disk."""

    name: str
    path: Path
    sha256: str
    """Digest of the file, 64 hex digits."""


def locate(weight: Weight) -> list[Path]:
    """Return the existing files of a weight, unverified: in the embedded folder, the user's, or both."""
    paths = [folder / weight.file for folder in (embedded_folder(), user_folder())]
    return [path for path in paths if is_there(path)]


def find(name: str) -> WeightFile:
    """Return the verified file of a weight. Its digest is computed once per process.

    Raises WeightsError if the name is unknown, or the file is missing or has another digest than registered.
    """
    return verify(lookup(name))


def verify(weight: Weight) -> WeightFile:
    """Return the verified file of an entry. Raises WeightsError like `find`."""
    faults = []
    for path in locate(weight):
        try:
            actual = digest(path)
        except OSError as error:
            faults.append(f"cannot read {path}: {error.strerror}")
            continue
        if actual == weight.sha256:
            return WeightFile(weight.name, path, actual)
        faults.append(
            f"{path} is not the weight {weight.name}: expected sha256 {weight.sha256} ({weight.bytes} bytes), "
            f"got {actual} ({path.stat().st_size} bytes)"
        )
    reason = "; ".join(faults) or f"the weight {weight.name} ({weight.file}) is not on this machine"
    raise WeightsError(f"{reason}: {_remedy(weight)}")


def _remedy(weight: Weight) -> str:
    """Return the command or action that restores a missing or damaged weight."""
    if weight.url:
        return f"facepipe weights fetch {weight.name}"
    if weight.name in read_registry(embedded_folder() / REGISTRY):
        return "reinstall facepipe, which includes this weight"
    return f"facepipe weights add FILE --name {weight.name} --replace"


def digest(path: Path) -> str:
    """Return the sha256 of a file, cached while its size, times and inode are unchanged."""
    status = path.stat()
    return _digest(path.absolute(), (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))


@functools.cache
def _digest(path: Path, _identity: tuple[int, int, int, int]) -> str:
    """Compute the digest. `_identity` is only part of the cache key."""
    with path.open("rb") as file:
        return digest_stream(file)


def fetch(name: str, url: str = "", *, advance: Callable[[int], None] = lambda _bytes: None) -> WeightFile:
    """Download a registered weight to the user's folder, from `url` or the URL in the registry.

    Resumes a partial download; does nothing if the verified weight is there. `advance` is called with the total number
    of bytes so far. Raises WeightsError and BusyError like `facepipe.weights.download.download`.
    """
    weight = lookup(name)
    if not (url or weight.url):
        raise WeightsError(f"the registry has no URL for the weight {name}: give one with --url, or {_remedy(weight)}")
    with contextlib.suppress(WeightsError):
        return verify(weight)
    download(
        url or weight.url, user_folder() / weight.file, sha256=weight.sha256, size_bytes=weight.bytes, advance=advance
    )
    return verify(weight)
