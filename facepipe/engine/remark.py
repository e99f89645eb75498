"""Remarks: what a stage lost, guessed, converted or held in an input that is unusual but valid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

FACT = "remarks"
"""The key of the remarks among the facts of a result."""


@dataclass(frozen=True)
class Remark:
    """One thing about an input or a result that the user should know, although the job succeeds."""

    code: str
    """What it is about, in lower case with hyphens, such as "variable-rate". Batches count remarks by code."""
    text: str
    """One sentence without the name of the file: what was found, what was done about it, and an option if one helps."""

    def as_json(self) -> dict[str, str]:
        """Return the remark as a JSON object."""
        return asdict(self)


def remark_facts(remarks: Iterable[Remark]) -> list[dict[str, str]]:
    """Return the value of the fact "remarks" of a stage."""
    return [remark.as_json() for remark in remarks]


def remarks_in(facts: Mapping[str, Any]) -> tuple[Remark, ...]:
    """Return the remarks among the facts of a result; none from facts of an older version."""
    found = facts.get(FACT, ())
    return tuple(Remark(str(one["code"]), str(one["text"])) for one in found if isinstance(one, Mapping))
