"""The labels of a job's pieces of work, and the identity that each had in the last run of the same job."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from facepipe.engine.fingerprint import Identity
from facepipe.engine.journal import JsonlJournal
from facepipe.engine.stage import Json


class Labels:
    """Unique labels, and a journal of identities by label."""

    def __init__(self, path: Path) -> None:
        self._identities: JsonlJournal[dict[str, Json] | None] = JsonlJournal(path)
        self._used: set[str] = set()

    def unique(self, label: str) -> str:
        """Return a label that this run has not used: `label`, or `label` with a number from 2."""
        candidate, number = label, 1
        while candidate in self._used:
            number += 1
            candidate = f"{label} {number}"
        self._used.add(candidate)
        return candidate

    def previous(self, label: str) -> Identity | None:
        """Return the identity of a piece of work in the last run; None without one."""
        with suppress(KeyError, TypeError):
            return Identity.from_json(self._identities.values[label] or {})
        return None

    def remember(self, label: str, identity: Identity) -> None:
        """Store the identity of a piece of work for the next run."""
        self._identities.set(label, identity.as_json())

    def forget_unused(self) -> None:
        """Forget the results that this run did not use, so that `clean` can remove them."""
        for label in set(self._identities.values) - self._used:
            self._identities.set(label, None)
