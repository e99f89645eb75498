"""A command that does almost nothing, to measure the machinery of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.batch.command_set import RunJob
from facepipe.batch.item import Item
from facepipe.batch.joblist import JobList
from facepipe.batch.rows import Row
from facepipe.engine import Artefact, Job, Stage, StageRun
from facepipe.errors import FacepipeError

SOURCES = 100
TEMPLATE = "out/{source}/{id}.txt"


@dataclass(frozen=True)
class Params:
    """Settings of the stage."""

    number: int = 0


def note(run: StageRun[Params]) -> Mapping[str, Any]:
    """Write down a number."""
    (run.output / "note.txt").write_text(f"{run.params.number}\n")
    return {"frames": 1}


NOTE = Stage("note", 1, ("text",), ("note.txt",), Params, note)


@dataclass(frozen=True)
class Notes:
    """One stage an item, which writes a line."""

    def extension(self, item: Item) -> str:
        """Return the suffix of a result."""
        del item
        return "txt"

    def inputs(self, item: Item) -> Sequence[str]:
        """Return the files that an item reads."""
        return tuple(item.inputs.values())

    def check(self, item: Item) -> FacepipeError | None:
        """Find nothing wrong."""
        del item
        return None

    def kind(self, item: Item) -> str:
        """Return the command."""
        return item.command

    def check_machine(self, items: Sequence[Item], folder: Path) -> list[FacepipeError]:
        """Find nothing missing."""
        del items, folder
        return []

    def settings(self, item: Item) -> str:
        """Depend on nothing."""
        del item
        return ""

    def program(self, item: Item) -> str:
        """Depend on nothing."""
        del item
        return ""

    def prepare(self, threads: int) -> None:
        """Need nothing."""
        del threads

    def make(self, item: Item, folder: Path, run_job: RunJob) -> None:
        """Make an item."""
        source, out = folder / item.inputs["source"], folder / item.output

        def body(job: Job) -> None:
            made = job.run(NOTE, {"text": source}, Params(int(str(item.options["number"]))))
            assert isinstance(made, Artefact)
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(made.path("note.txt").read_bytes())

        run_job({"command": "note"}, body)


def listed(count: int) -> JobList:
    """Return a list of so many items over a hundred sources."""

    def rows() -> Iterator[Row]:
        return ((number, {"source": f"{number % SOURCES}.txt", "number": number}) for number in range(count))

    return JobList("notes", rows, Notes(), command="note", template=TEMPLATE)


def write_sources(folder: Path) -> None:
    """Write the sources of all lists."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(SOURCES):
        (folder / f"{number}.txt").write_text(f"source {number}\n")
