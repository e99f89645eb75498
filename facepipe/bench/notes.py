"""A command with a trivial stage, to measure the overhead of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.batch.command_set import CommandSet, RunJob
from facepipe.batch.item import Item
from facepipe.batch.joblist import JobList
from facepipe.batch.rows import Row
from facepipe.engine import Artefact, Job, Stage, StageRun
from facepipe.errors import FacepipeError

SOURCES = 100
TEMPLATE = "out/{source}/{id}.txt"


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    number: int = 0


def note(run: StageRun[Params]) -> Mapping[str, Any]:
    """Write the number to a file."""
    (run.output / "note.txt").write_text(f"{run.params.number}\n")
    return {"frames": 1}


NOTE = Stage("note", 1, ("text",), ("note.txt",), Params, note)


@dataclass(frozen=True)
class Notes(CommandSet):
    """One stage per item, which writes a line."""

    def extension(self, item: Item) -> str:
        """Return the extension of results."""
        del item
        return "txt"

    def inputs(self, item: Item) -> Sequence[str]:
        """Return the input files of an item."""
        return tuple(item.inputs.values())

    def check(self, item: Item) -> Mapping[str, str]:
        """Accept every item."""
        del item
        return {}

    def kind(self, item: Item) -> str:
        """Return the command of an item."""
        return item.command

    def check_machine(self, items: Sequence[Item], folder: Path) -> list[FacepipeError]:
        """Accept every machine."""
        del items, folder
        return []

    def settings(self, item: Item) -> str:
        """Return no settings."""
        del item
        return ""

    def program(self, item: Item) -> str:
        """Return no versions of stages."""
        del item
        return ""

    def prepare(self, threads: int) -> None:
        """Prepare nothing."""
        del threads

    def make(self, item: Item, folder: Path, run_job: RunJob) -> None:
        """Produce the output of an item."""
        source, out = folder / item.inputs["source"], folder / item.output

        def body(job: Job) -> None:
            artefact = job.run(NOTE, {"text": source}, Params(int(str(item.options["number"]))))
            assert isinstance(artefact, Artefact)
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(artefact.path("note.txt").read_bytes())

        run_job({"command": "note"}, body)


def listed(count: int) -> JobList:
    """Return a job list of `count` items over a hundred sources."""

    def rows() -> Iterator[Row]:
        return ((number, {"source": f"{number % SOURCES}.txt", "number": number}) for number in range(count))

    return JobList("notes", rows, Notes(), command="note", template=TEMPLATE)


def write_sources(folder: Path) -> None:
    """Write the source files of all job lists."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(SOURCES):
        (folder / f"{number}.txt").write_text(f"source {number}\n")
