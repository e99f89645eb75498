"""The files of registered weights: found, verified, fetched. None is ever unpickled."""

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
    """A weight that lies on disk and was verified."""

    name: str
    path: Path
    sha256: str
    """64 hex digits, the digest of the file's bytes."""


def locate(weight: Weight) -> list[Path]:
    """Return where files of a weight's name lie, unverified: the embedded one, the user's, or both."""
    paths = [folder / weight.file for folder in (embedded_folder(), user_folder())]
    return [path for path in paths if is_there(path)]


def find(name: str) -> WeightFile:
    """Return a weight whose file is there and has the registered digest, which is computed once a process.

    Raises WeightsError for an unknown name, a file that is not there, and a file that is not the registered one.
    """
    return verify(lookup(name))


def verify(weight: Weight) -> WeightFile:
    """Return the verified file of an entry; raise WeightsError as `find` does."""
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
    """What brings back a weight that is missing or damaged."""
    if weight.url:
        return f"facepipe weights fetch {weight.name}"
    if weight.name in read_registry(embedded_folder() / REGISTRY):
        return "reinstall facepipe, for this weight ships with it"
    return f"facepipe weights add FILE --name {weight.name} --replace"


def digest(path: Path) -> str:
    """Return the sha256 of a file, remembered for as long as its size, times and inode stay."""
    status = path.stat()
    return _digest(path.absolute(), (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))


@functools.cache
def _digest(path: Path, _identity: tuple[int, int, int, int]) -> str:
    """Compute the digest; `_identity` is there to be part of the memory's key."""
    with path.open("rb") as file:
        return digest_stream(file)


def fetch(name: str, url: str = "", *, advance: Callable[[int], None] = lambda _bytes: None) -> WeightFile:
    """Download a registered weight into the user's folder, from `url` or from where the registry says.

    What an earlier call brought is gone on from. `advance` is told how many bytes are there so far. A weight that is
    already there and right is left alone. Raises WeightsError as `facepipe.weights.download.download` does.
    """
    weight = lookup(name)
    if not (url or weight.url):
        raise WeightsError(
            f"the registry knows no address for the weight {name}: name one with --url, or {_remedy(weight)}"
        )
    with contextlib.suppress(WeightsError):
        return verify(weight)
    download(
        url or weight.url, user_folder() / weight.file, sha256=weight.sha256, size_bytes=weight.bytes, advance=advance
    )
    return verify(weight)
