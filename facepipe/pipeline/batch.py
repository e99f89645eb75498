"""Running a stage on many items; a failed item does not affect the others."""

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

# Errors that one item can cause. Others, such as a missing weight, concern all items.
ITEM_ERRORS = (InputError, NoFaceError, EncoderError, MemoryLimitError, DiskError, PrecheckError, UsageError)
# A single disk error can be caused by a name that is too long. This many in a row mean that the disk itself fails.
DISK_FAILURES_IN_A_ROW = 3


def run_items(job: Job, stage: str, items: Sequence[Item], make: Callable[[Item], list[Path]]) -> list[Path]:
    """Make the results of all items and return their paths.

    The error of a single item is raised unchanged. Of several items, the others are finished first; then
    FailedItemsError is raised, with a line per failed item and the paths of the results that were made.
    """
    if len(items) == 1:
        return make(items[0])
    done: list[Path] = []
    faults: list[tuple[Item, Exception]] = []
    in_a_row = 0
    for item in items:
        reported = job.failures
        try:
            done += make(item)
        except ITEM_ERRORS as error:
            faults.append((item, error))
            in_a_row = in_a_row + 1 if isinstance(error, DiskError) else 0
            if in_a_row == DISK_FAILURES_IN_A_ROW:
                raise
        except FacepipeError:
            raise
        except Exception as error:
            # A bug that one unusual file triggers must not stop the other items.
            faults.append((item, error))
        else:
            in_a_row = 0
            continue
        if job.failures == reported:
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
        f"  {kind:<{width}}  {item.label:<{path_width}}  {_message_of(item, error)}"
        for kind, (item, error) in zip(kinds, faults, strict=True)
    ]
    count = f"{len(faults)} of {len(items)} items"
    head = f"{count} failed; the others are done and will be skipped if you run this command again."
    if planned:
        head = f"{count} cannot be used; the others can."
    detail = "\n".join(error.detail for _, error in faults if isinstance(error, FacepipeError) and error.detail)
    return FailedItemsError([head, *lines], done=done, detail=detail)


def _message_of(item: Item, error: Exception) -> str:
    if not isinstance(error, FacepipeError):
        return f"bug in facepipe: {type(error).__name__}: {error}; please report it with the output of -v"
    message = str(error)
    for path in (item.path, item.path.absolute()):
        message = message.removeprefix(f"{path}: ").removeprefix(f"{path} ")
    return message
