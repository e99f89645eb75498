"""A command set whose items are texts that are reversed, to test the machinery around it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.batch.command_set import CommandSet, RunJob
from facepipe.batch.item import Item
from facepipe.engine import Artefact, Job, Stage, StageRun
from facepipe.errors import FacepipeError, InputError


@dataclass(frozen=True)
class Params:
    seconds: float = 0.0
    times: int = 1


def turn(run: StageRun[Params]) -> Mapping[str, Any]:
    text = run.input("text").read_text()
    if "bad" in text:
        raise InputError("the text is bad; write a good one", detail="tail of a child's stderr")
    for _ in range(run.params.times):
        time.sleep(run.params.seconds)
        run.advance(1)
    (run.output / "turned.txt").write_text(text[::-1])
    return {"frames": run.params.times}


TURN = Stage("turn", 1, ("text",), ("turned.txt",), Params, turn)


@dataclass(frozen=True)
class Texts(CommandSet):
    """Turns texts round. The option `kill` names a file: as long as there is none, the worker makes it and dies."""

    def extension(self, item: Item) -> str:
        return "txt"

    def inputs(self, item: Item) -> Sequence[str]:
        return list(item.inputs.values())

    def check(self, item: Item) -> Mapping[str, str]:
        return {"wrong": "no such option"} if "wrong" in item.options else {}

    def kind(self, item: Item) -> str:
        return item.command

    def check_machine(self, items: Sequence[Item], folder: Path) -> list[FacepipeError]:
        return []

    def settings(self, item: Item) -> str:
        return os.environ.get("FACEPIPE_TEST_SETTINGS", "")

    def program(self, item: Item) -> str:
        """Be another program for the items of $FACEPIPE_TEST_PROGRAM alone."""
        changed = os.environ.get("FACEPIPE_TEST_PROGRAM")
        return "changed" if changed and item.inputs.get("source") == changed else ""

    def prepare(self, threads: int) -> None:
        return

    def make(self, item: Item, folder: Path, run_job: RunJob) -> None:
        if (mark := item.options.get("kill")) and not Path(str(mark)).exists():
            if mark != "always":
                Path(str(mark)).touch()
            os.kill(os.getpid(), signal.SIGKILL)

        def body(job: Job) -> None:
            params = Params(float(str(item.options.get("seconds", 0))), int(str(item.options.get("times", 1))))
            made = job.run(TURN, {"text": folder / item.inputs["source"]}, params)
            assert isinstance(made, Artefact)
            out = folder / item.output
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(made.path("turned.txt").read_bytes())

        run_job({"command": item.command}, body)
