"""The files by which the leader of a run and its workers communicate: journal offsets, and requests to stop."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from facepipe.engine.batch_paths import BatchPaths
from facepipe.engine.claim import is_process_dead
from facepipe.engine.disk import disk_errors, make_folder


def save_offsets(path: Path, token: str, offsets: Mapping[str, int]) -> None:
    """Write the bytes of each journal that the leader with this token had read. Raises DiskError."""
    with disk_errors(path.parent):
        make_folder(path.parent)
        path.write_text(json.dumps({"token": token, "offsets": dict(offsets)}), "ascii")


def read_offsets(path: Path) -> dict[str, int]:
    """Return the offset up to which each journal was read before the run began; empty if it is not known."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        return {str(name): int(offset) for name, offset in json.loads(path.read_bytes())["offsets"].items()}
    return {}


def dead_run_files(paths: BatchPaths, *, unknown: bool = False) -> Iterator[Path]:
    """Yield the files of runs whose leaders have ended; with `unknown` also of those that cannot be checked from here.

    A request to stop belongs to the leader of the offsets beside it. Without these it counts as unknown.
    """
    for path in sorted(paths.runs.glob("*")):
        dead = _is_leader_dead(path.with_suffix(".json"))
        if path.suffix in (".json", ".stop") and (dead or (dead is None and unknown)):
            yield path


def remove_dead_run_files(paths: BatchPaths) -> None:
    """Remove the files of runs whose leaders have ended. Files that cannot be removed stay."""
    for path in list(dead_run_files(paths)):
        with suppress(OSError):
            path.unlink()


def _is_leader_dead(offsets: Path) -> bool | None:
    """Return whether the process that wrote the offsets has ended; None if it cannot be checked."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return is_process_dead(str(json.loads(offsets.read_bytes())["token"]))
    return None
