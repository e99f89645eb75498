"""Builds a data set in this process, item by item, as the workers of a batch do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facepipe.batch.joblist import Shard
from facepipe.dataset.annotations import Annotations
from facepipe.dataset.build import Recipe
from facepipe.dataset.commands import assemble, list_videos
from facepipe.dataset.people import find_people
from facepipe.engine import Job, Workspace
from facepipe.engine.events import Done, Event
from facepipe.errors import FacepipeError


@dataclass
class Built:
    """Result of a build: labels of executed stages, and errors."""

    made: list[str] = field(default_factory=list)
    errors: list[FacepipeError] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        """Record an executed stage."""
        if isinstance(event, Done):
            self.made.append(event.label)


def build(
    clips: Path, out: Path, work: Path, *, people: Path | None = None, boxes: Path | None = None, **recipe: Any
) -> Built:
    """Build a data set; errors are collected, and each affects only its item."""
    annotations = Annotations(boxes) if boxes else None
    videos = list_videos(clips, out, Recipe(**recipe), find_people(clips, people), annotations, Shard())
    built = Built()

    def run_job(identity: Mapping[str, object], body: Callable[[Job], None]) -> None:
        with Job(Workspace(work), dict(identity), events=built) as job:  # type: ignore[arg-type]
            body(job)

    for item in videos.recorded:
        try:
            videos.commands.make(item, Path.cwd(), run_job)
        except FacepipeError as error:
            built.errors.append(error)
    assemble(videos, out)
    return built
