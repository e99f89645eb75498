"""What the functions share: they run a request with sources of any kind, and raise the errors of the commands."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from facepipe.api.result import Result, result_of
from facepipe.api.sources import as_files
from facepipe.config import load_settings
from facepipe.device import let_threads_sleep
from facepipe.errors import UsageError, as_expected
from facepipe.requests import Request, run
from facepipe.requests.keywords import request_from

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facepipe.api.options import Progress, Source
    from facepipe.settings import Settings


@contextmanager
def expected_errors() -> Iterator[None]:
    """Convert errors of a full disk or memory to the FacepipeErrors that the commands print."""
    try:
        yield
    except Exception as error:
        if (expected := as_expected(error)) and expected is not error:
            raise expected from error
        raise


def guarded(items: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Yield items; errors during the iteration are converted too."""
    with expected_errors():
        yield from items


def call(
    kind: type[Request],
    source: Source | Sequence[Source],
    given: Mapping[str, Any],
    progress: Progress | None,
    force: Collection[str],
    *,
    role: str = "source",
) -> Result:
    """Run a request. `role` is the name of its field for the source."""
    let_threads_sleep()
    settings = load_settings()
    with expected_errors():
        if role == "source":
            files = portrait_files(source, given, settings)
        else:
            files = {role: as_files(source, settings, given.get("work"))}
        request = request_from(kind, {**given, **files})
        return result_of(run(request, settings, force=force, events=progress))


def portrait_files(source: Any, given: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Return the fields for the portrait: the first of a sequence of pictures, and the others."""
    several = isinstance(source, list | tuple)
    if several and not source:
        raise UsageError("source is an empty sequence, expected pictures of one person, the first of which is animated")
    pictures = list(source) if several else [source]
    further = given.get("source_picture")
    if further is not None:
        pictures += list(further) if isinstance(further, list | tuple) else [further]
    first, *others = as_files(pictures, settings, given.get("work"))
    return {"source": first, **({"source_picture": others} if others else {})}
