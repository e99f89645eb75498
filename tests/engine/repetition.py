"""A small job for the tests: a text is repeated in pieces, and the pieces are joined.

The tests also run it as a program (`python repetition.py WORK TEXT TIMES PIECES SECONDS`) that they kill and race.
"""

import json
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.engine import Artefact, Decision, Job, Pending, Stage, StageRun, Workspace, interruptible
from facepipe.engine.events import Event, Sink, ignore
from facepipe.errors import Interrupted


@dataclass(frozen=True)
class RepeatParams:
    times: int = 2
    piece: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class JoinParams:
    separator: str = "\n"


def repeat(run: StageRun[RepeatParams]) -> Mapping[str, Any]:
    text = run.input("text").read_text()
    with (run.output / "repeated.txt").open("w") as stream:
        for _ in range(run.params.times):
            stream.write(f"{run.params.piece}:{text}")
            stream.flush()
            time.sleep(run.params.seconds)
            run.advance(1)
    return {"length": len(text) * run.params.times}


def join(run: StageRun[JoinParams]) -> Mapping[str, Any]:
    pieces = [path.read_text() for path in run.many("pieces")]
    (run.output / "joined.txt").write_text(run.params.separator.join(pieces))
    return {"pieces": len(pieces)}


REPEAT = Stage("repeat", 1, ("text",), ("repeated.txt",), RepeatParams, repeat)
JOIN = Stage("join", 1, ("pieces*",), ("joined.txt",), JoinParams, join)


def stage_of(
    function: Callable[[StageRun[RepeatParams]], Mapping[str, Any]], *outputs: str, name: str = "repeat"
) -> Stage[RepeatParams]:
    """Return a stage with the declaration of REPEAT and another function."""
    return Stage(name, 1, ("text",), outputs or ("repeated.txt",), RepeatParams, function)


def decide(workspace: Workspace, text: Path, stage: Stage[RepeatParams] = REPEAT, **how: Any) -> Decision[RepeatParams]:
    return workspace.decide(stage, {"text": text}, RepeatParams(), **how)


def drafts(workspace: Workspace) -> list[Path]:
    return list(workspace.root.rglob("*.draft"))


def write(run: StageRun[RepeatParams], content: str = "x") -> Mapping[str, Any]:
    (run.output / "repeated.txt").write_text(content)
    return {}


def fails(error: BaseException) -> Stage[RepeatParams]:
    def function(run: StageRun[RepeatParams]) -> Mapping[str, Any]:
        write(run)
        raise error

    return stage_of(function)


def run_all(
    work: Path,
    text: Path,
    *,
    times: int = 2,
    pieces: int = 2,
    seconds: float = 0.0,
    dry_run: bool = False,
    force: Collection[str] = (),
    sink: Sink = ignore,
) -> Artefact | Pending:
    identity = {"command": "repetition", "text": str(text)}
    with Job(Workspace(work), identity, dry_run=dry_run, force=force, events=sink) as job:
        job.expect(REPEAT, times * pieces)
        repeated = [
            job.run(REPEAT, {"text": text}, RepeatParams(times, piece, seconds), label=f"piece {piece}", frames=times)
            for piece in range(pieces)
        ]
        return job.run(
            JOIN, {"pieces": [piece.output("repeated.txt") for piece in repeated]}, JoinParams(), label="all"
        )


def made(artefact: Artefact | Pending) -> Artefact:
    assert isinstance(artefact, Artefact)
    return artefact


def reasons(seen: list[Event]) -> dict[str, str]:
    return {getattr(e, "label", ""): getattr(e, "reason", "") for e in seen if hasattr(e, "reason")}


def main() -> int:
    work, text, times, pieces, seconds = sys.argv[1:]
    events: list[Event] = []
    try:
        with interruptible():
            joined = run_all(
                Path(work), Path(text), times=int(times), pieces=int(pieces), seconds=float(seconds), sink=events.append
            )
    except Interrupted as error:
        print(error)
        return int(error.exit_code)
    summary = events[-1].as_json()
    print(json.dumps({**summary, "path": str(made(joined).path("joined.txt")), "reasons": reasons(events)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
