"""Which intermediate results outlive an item."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Literal

from facepipe.engine import Artefact
from facepipe.engine.disk import remove_folder
from facepipe.errors import DiskError

Keep = Literal["none", "results", "coefficients", "all"]
SMALL_AND_VALUABLE = ("coefficients",)
USED_DIGITS = 12


def discard(
    results: Sequence[Artefact], keep: Keep, roots: Mapping[str, str], shared: Collection[str], *, repeated: bool
) -> list[str]:
    """Remove what an item leaves behind that `keep` does not name; return short fingerprints of the rest.

    `roots` are the digests of the item's inputs by name. What was made of a `shared` input alone stays for the items
    that use it too, and all of it where another item has the same inputs (`repeated`); the end of the batch takes it.
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


def is_kept(stage: str, keep: Keep) -> bool:
    """Tell whether all results of a stage outlive their items."""
    return keep == "all" or (keep == "coefficients" and stage in SMALL_AND_VALUABLE)


def _origins(results: Iterable[Artefact], roots: frozenset[str]) -> dict[str, set[str]]:
    """Return, by fingerprint, from which of the inputs a result stems, through other results too."""
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
