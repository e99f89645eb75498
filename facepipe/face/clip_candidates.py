"""The spans of a raw video that may become clips of a data set, and the file `spans.json` that lists them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facepipe.face.spans import Span


@dataclass(frozen=True)
class ClipCandidate:
    """A span that may become a clip, and whose face it shows."""

    span: Span
    face: int = 0
    """Which of the video's faces, in the order in which they appear."""
    person: str = ""
    """The name in the annotation; empty without one."""
    utterance: str = ""
    """The name of the annotation file; empty without one."""


@dataclass(frozen=True)
class ClipCandidates:
    """The candidates of one video at one frame rate."""

    frames: int
    found: Sequence[ClipCandidate]
    rejected: Mapping[str, int] = field(default_factory=dict)
    """The number of spans that the rule rejected, by reason."""


def save_candidates(candidates: ClipCandidates, path: Path) -> None:
    """Write candidates as JSON."""
    path.write_text(json.dumps(asdict(candidates), sort_keys=True) + "\n", encoding="utf-8")


def load_candidates(path: Path) -> ClipCandidates:
    """Read what `save_candidates` wrote."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    found = [ClipCandidate(**{**one, "span": Span(**one["span"])}) for one in content["found"]]
    return ClipCandidates(content["frames"], found, content["rejected"])
