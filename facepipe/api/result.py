"""The results of the functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.pipeline.delivery import sidecar_of


@dataclass(frozen=True)
class Result:
    """The result files of a call, and their records."""

    paths: tuple[Path, ...]
    """All result files, the main one first, without the records."""
    records: Mapping[Path, Mapping[str, Any]]
    """The record (FILE.json, docs/formats.md) of each file that has one beside it."""

    @property
    def path(self) -> Path:
        """The main file."""
        return self.paths[0]

    @property
    def record(self) -> Mapping[str, Any]:
        """The record of the main file: inputs, options, stages with their facts, weights."""
        return self.records[self.path]

    @property
    def facts(self) -> Mapping[str, tuple[Mapping[str, Any], ...]]:
        """The facts of the stages of the main file: by stage, one mapping per run of the stage."""
        facts: dict[str, tuple[Mapping[str, Any], ...]] = {}
        for stage in self.record["stages"]:
            facts[stage["stage"]] = (*facts.get(stage["stage"], ()), stage["facts"])
        return facts

    @property
    def frames(self) -> int:
        """The number of frames of the main file, or of the motion in it."""
        rendered = self.facts.get("render")
        last = self.record["stages"][-1]["facts"]
        return sum(facts["frames"] for facts in rendered) if rendered else int(last.get("frames", 0))


def result_of(paths: Sequence[Path]) -> Result:
    """Return the result, with the records beside its files."""
    sidecars = {path: sidecar_of(path) for path in paths}
    read = {path: json.loads(sidecar.read_bytes()) for path, sidecar in sidecars.items() if sidecar.is_file()}
    return Result(tuple(paths), read)
