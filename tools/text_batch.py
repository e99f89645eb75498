"""A batch of texts, which has all parts of a batch except rendering, for tools/batch_trial.py.

An item is a text, which is reversed in segments; each segment is an artefact, and the last stage joins them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from facepipe.batch.command_set import RunJob
from facepipe.batch.engines import Engine
from facepipe.batch.item import Item
from facepipe.batch.joblist import JobList
from facepipe.batch.limits import Limits
from facepipe.batch.run import Run
from facepipe.bench.notes import Notes
from facepipe.engine import Artefact, Job, Stage, StageRun
from facepipe.engine.batch_paths import BatchPaths
from facepipe.engine.claim import is_process_dead
from facepipe.engine.events import ignore
from facepipe.engine.item_log import PROCESS, ItemLogReader
from facepipe.errors import FacepipeError, InputError

ROOT = Path(__file__).parents[1]
LEAD = "import sys; sys.path.insert(0, {root!r}); {before}from tools.text_batch import lead; lead()"
LOG = "executions.log"


@dataclass(frozen=True)
class Params:
    """Parameters of both stages."""

    segment: int = 0
    seconds: float = 0.0
    bytes: int = 0


def turn(run: StageRun[Params]) -> Mapping[str, Any]:
    """Reverse a text after a delay, and log the execution."""
    text = run.input("text").read_text()
    if text.startswith("bad"):
        raise InputError("the text is bad; write a good one")
    for _ in range(4):
        time.sleep(run.params.seconds / 4)
        run.advance(1)
    (run.output / "segment.txt").write_text(f"{run.params.segment} {text[::-1]}\n" + "x" * run.params.bytes)
    with (run.input("text").parent / LOG).open("a") as log:
        log.write(f"{run.input('text').name} {run.params.segment}\n")
    return {"frames": 4}


def join(run: StageRun[Params]) -> Mapping[str, Any]:
    """Join the segments."""
    (run.output / "joined.txt").write_text("".join(path.read_text() for path in run.many("segments")))
    return {}


TURN = Stage("turn", 1, ("text",), ("segment.txt",), Params, turn)
JOIN = Stage("join", 1, ("segments*",), ("joined.txt",), Params, join)


@dataclass(frozen=True)
class Texts(Notes):
    """The command of the rows: an item is a number of segments, joined."""

    segments: int = 8
    seconds: float = 0.1
    bytes: int = 0

    def make(self, item: Item, folder: Path, run_job: RunJob) -> None:
        """Make an item; its result appears atomically."""

        def body(job: Job) -> None:
            source = folder / item.inputs["source"]
            made = [job.run(TURN, {"text": source}, Params(n, self.seconds, self.bytes)) for n in range(self.segments)]
            joined = job.run(JOIN, {"segments": [one.output("segment.txt") for one in made]}, Params())
            assert isinstance(joined, Artefact)
            out = folder / item.output
            out.parent.mkdir(parents=True, exist_ok=True)
            draft = out.with_name(f".{out.name}.{os.getpid()}")
            shutil.copyfile(joined.path("joined.txt"), draft)
            draft.replace(out)

        run_job({"command": "turn"}, body)


def lead() -> None:
    """Lead a batch in the current folder with the settings in the first argument (JSON); print its summary."""
    given = json.loads(sys.argv[1])
    texts = Texts(given["segments"], given["seconds"], given["bytes"])
    rows = [(number, {"source": f"t{number}.txt"}) for number in range(given["items"])]
    jobs = JobList("texts", lambda: rows, texts, command="turn", template="out/{source}.txt")
    run = Run(
        jobs, Path("work"), Path.cwd(), Engine(workers=given["workers"]), limits=Limits(retries=given["retries"]),
        events=ignore, stale_seconds=given["stale_seconds"], again=frozenset(given["again"]),
    )  # fmt: skip
    try:
        settled = run.lead(run.check())
    except FacepipeError as error:
        print(json.dumps({"exit_code": int(error.exit_code), "message": str(error)}))
        return
    print(json.dumps(asdict(settled)))


@dataclass
class Batch:
    """A folder of texts, and the settings of a batch over them."""

    folder: Path
    items: int = 50
    workers: int = 4
    segments: int = 8
    seconds: float = 0.1
    bytes: int = 0
    retries: int = 1000
    stale_seconds: float = 120.0
    again: tuple[str, ...] = ()

    def write(self, bad: int | None = None) -> None:
        """Write the texts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in range(self.items):
            (self.folder / f"t{number}.txt").write_text(f"{'bad ' if number == bad else ''}text {number}")

    def start(self, *, host: str = "", before: str = "") -> subprocess.Popen[str]:
        """Start a process that leads the batch, under the host name `host` if given."""
        settings = {name: value for name, value in vars(self).items() if name != "folder"}
        argv = [sys.executable, "-c", LEAD.format(root=str(ROOT), before=before), json.dumps(settings)]
        if host:
            argv = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', host, *argv]
        return subprocess.Popen(
            argv, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def run(self, **how: str) -> dict[str, Any]:
        """Lead the batch to its end; return its summary."""
        return ended(self.start(**how))

    def digests(self) -> dict[str, str]:
        """Return the sha256 of every result."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (self.folder / "out").glob("*.txt")
        }

    def executions(self) -> Counter[str]:
        """Return how often each segment was made."""
        with suppress(FileNotFoundError):
            return Counter((self.folder / LOG).read_text().splitlines())
        return Counter()

    def repeated(self) -> int:
        """Return how many segments were made again."""
        made = self.executions()
        return sum(made.values()) - len(made)

    def workers_alive(self) -> list[int]:
        """Return the process ids of running workers."""
        found = []
        for key, value, _ in ItemLogReader(BatchPaths(self.folder / "work").journal).news():
            if key == PROCESS and value.get("role") == "worker" and is_process_dead(value["token"]) is False:
                found.append(int(value["token"].split(" ")[1]))
        return found


def ended(child: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a leading process; return its summary. Raises RuntimeError if it crashed."""
    out, errors = child.communicate(timeout=3600)
    if child.returncode:
        raise RuntimeError(errors[-2000:])
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    return result


def expected(batch: Batch, number: int) -> str:
    """Return the expected result of an item."""
    text = f"text {number}"[::-1]
    return "".join(f"{n} {text}\n" + "x" * batch.bytes for n in range(batch.segments))


def faults_of(batch: Batch, numbers: Sequence[int]) -> list[str]:
    """Return the faults of the results."""
    faults = []
    for number in numbers:
        path = batch.folder / "out" / f"t{number}.txt"
        if not path.exists():
            faults.append(f"{path.name} is missing")
        elif path.read_text() != expected(batch, number):
            faults.append(f"{path.name} has the wrong content")
    strays = [path.name for path in (batch.folder / "out").iterdir() if path.name.startswith(".")]
    # Drafts of a lost machine stay for a week, because it is unknown whether its process still runs.
    drafts = [path.name for path in (batch.folder / "work").glob("*/??/*.draft") if ".gone-" not in path.name]
    claims = [path.name for path in (batch.folder / "work" / "batch" / "claims").glob("??/*")]
    return [
        *faults,
        *(f"left behind: {name}" for name in (*drafts, *claims)),
        *([f"{len(strays)} strays"] * bool(strays)),
    ]
