"""Going through items so that a bad one costs itself only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from facepipe.engine import Job
from facepipe.errors import (
    DiskError,
    EncoderError,
    FacepipeError,
    FailedItemsError,
    InputError,
    MemoryLimitError,
    NoFaceError,
    PrecheckError,
    UsageError,
)
from facepipe.pipeline.items import Item

# What may be the fault of one item; a missing weight, say, is that of all.
ITS_OWN = (InputError, NoFaceError, EncoderError, MemoryLimitError, DiskError, PrecheckError, UsageError)
# A name can be too long for a disk; but if this many items in a row fail by the disk, it is the disk.
DISK_FAILURES_IN_A_ROW = 3


def run_items(job: Job, stage: str, items: Sequence[Item], make: Callable[[Item], list[Path]]) -> list[Path]:
    """Make the results of all items and return their paths.

    A single item's failure is raised as it is; of several, the others are finished first, then FailedItemsError, which
    holds a line for each that failed and the paths of what was made.
    """
    if len(items) == 1:
        return make(items[0])
    done: list[Path] = []
    faults: list[tuple[Item, Exception]] = []
    in_a_row = 0
    for item in items:
        told = job.failures
        try:
            done += make(item)
        except ITS_OWN as error:
            faults.append((item, error))
            in_a_row = in_a_row + 1 if isinstance(error, DiskError) else 0
            if in_a_row == DISK_FAILURES_IN_A_ROW:
                raise
        except FacepipeError:
            raise
        except Exception as error:
            # A mistake of ours that one odd file brings to light shall not cost the other thousands.
            faults.append((item, error))
        else:
            in_a_row = 0
            continue
        if job.failures == told:
            job.fail(stage, f"{stage} {item.label}", faults[-1][1])
    if faults:
        raise _failure(items, faults, done, planned=job.dry_run) from faults[-1][1]
    return done


def _failure(
    items: Sequence[Item], faults: Sequence[tuple[Item, Exception]], done: list[Path], *, planned: bool
) -> FailedItemsError:
    kinds = [error.failure_class if isinstance(error, FacepipeError) else "bug" for _, error in faults]
    width, path_width = max(map(len, kinds)), max(len(item.label) for item, _ in faults)
    lines = [
        f"  {kind:<{width}}  {item.label:<{path_width}}  {_said(item, error)}"
        for kind, (item, error) in zip(kinds, faults, strict=True)
    ]
    what = f"{len(faults)} of {len(items)} items"
    head = f"{what} failed; the others are done, and running this again keeps them."
    if planned:
        head = f"{what} cannot be used; the others can."
    detail = "\n".join(error.detail for _, error in faults if isinstance(error, FacepipeError) and error.detail)
    return FailedItemsError([head, *lines], done=done, detail=detail)


def _said(item: Item, error: Exception) -> str:
    if not isinstance(error, FacepipeError):
        return f"a bug in facepipe: {type(error).__name__}: {error}; please report it with what -v shows"
    said = str(error)
    for path in (item.path, item.path.absolute()):
        said = said.removeprefix(f"{path}: ").removeprefix(f"{path} ")
    return said
