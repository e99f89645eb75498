"""Candidate clips: spans of a raw video that may enter a data set, and the file `spans.json` that lists them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facepipe.face.spans import Span


@dataclass(frozen=True)
class ClipCandidate:
    """A span that may become a clip, with the face that it shows."""

    span: Span
    face: int = 0
    """Index of the face among those of the video, in order of appearance."""
    person: str = ""
    """Name of the person in the annotation; empty without an annotation."""
    utterance: str = ""
    """Name of the annotation file; empty without an annotation."""


@dataclass(frozen=True)
class ClipCandidates:
    """The candidates of one video at one frame rate."""

    frames: int
    found: Sequence[ClipCandidate]
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Number of rejected spans by reason."""


def save_candidates(candidates: ClipCandidates, path: Path) -> None:
    """Write candidates as JSON."""
    path.write_text(json.dumps(asdict(candidates), sort_keys=True) + "\n", encoding="utf-8")


def load_candidates(path: Path) -> ClipCandidates:
    """Read a file written by `save_candidates`."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    found = [ClipCandidate(**{**one, "span": Span(**one["span"])}) for one in content["found"]]
    return ClipCandidates(content["frames"], found, content["rejected"])


def counted(rejected: Mapping[str, int]) -> str:
    """Return the numbers of rejected parts by reason as text, the most frequent first."""
    return ", ".join(f"{number} {reason}" for reason, number in sorted(rejected.items(), key=lambda one: -one[1]))
