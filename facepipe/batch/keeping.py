"""Removal of work files after an item, and at the end of a batch."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from facepipe.engine import Artefact
from facepipe.engine.disk import remove_folder
from facepipe.engine.status import USED_DIGITS, artefact_folders, batch_uses, referenced_fingerprints, stage_folders
from facepipe.errors import DiskError

Keep = Literal["none", "results", "coefficients", "all"]
SMALL_AND_VALUABLE = ("coefficients",)


def discard(
    results: Sequence[Artefact], keep: Keep, roots: Mapping[str, str], shared: Collection[str], *, repeated: bool
) -> list[str]:
    """Remove the results of an item that `keep` does not include; return short fingerprints of the others.

    `roots` are the digests of the item's inputs by name. Results made only from `shared` inputs stay for other items;
    so do all results if another item has the same inputs (`repeated`). They are removed at the end of the batch.
    """
    unique = list({one.folder: one for one in results}.values())
    removed = set()
    if keep != "all":
        common = {roots[name] for name in shared if name in roots}
        origins = _origins(unique, frozenset(roots.values()))
        last = unique[-1].folder if unique else None
        for one in unique:
            wanted = is_kept(one.record.identity.stage, keep) or (one.folder == last and keep != "none")
            stems = origins[one.folder.name]
            needed = stems <= common and (repeated or len(stems) < len(roots))
            if not wanted and not needed:
                with suppress(DiskError, OSError):
                    remove_folder(one.folder)
                    removed.add(one.folder)
    return [one.folder.name[:USED_DIGITS] for one in unique if one.folder not in removed]


def sweep(work: Path, keep: Keep) -> None:
    """Remove the results used by finished items that `keep` does not include. Results of single jobs stay."""
    wanted = set(referenced_fingerprints(work, batches=False))
    used: set[str] = set()
    last: set[str] = set()
    for uses in batch_uses(work):
        used.update(uses)
        last.update(uses[-1:] if keep != "none" else ())
    gone = used - last
    for stage_folder in stage_folders(work):
        if is_kept(stage_folder.name, keep):
            continue
        for folder in artefact_folders(stage_folder):
            short = folder.name[:USED_DIGITS]
            if short in gone and folder.name not in wanted:
                with suppress(DiskError, OSError):
                    remove_folder(folder)


def is_kept(stage: str, keep: Keep) -> bool:
    """Return whether all results of a stage stay after their items."""
    return keep == "all" or (keep == "coefficients" and stage in SMALL_AND_VALUABLE)


def _origins(results: Iterable[Artefact], roots: frozenset[str]) -> dict[str, set[str]]:
    """Return by fingerprint the digests of the inputs from which a result was made, directly or through others."""
    stems: dict[str, set[str]] = {digest: {digest} for digest in roots}
    origins = {}
    for one in results:
        mine: set[str] = set()
        for value in one.record.identity.inputs.values():
            for digest in [value] if isinstance(value, str) else value:
                mine |= stems.get(digest, set())
        origins[one.folder.name] = mine
        for output in one.record.outputs.values():
            stems[output.sha256] = stems.get(output.sha256, set()) | mine
    return origins
