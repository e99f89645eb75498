"""Remarks of stages: emitted once per job, also from a stored result, and read back from facts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facepipe.engine import Job, Stage, StageRun, Workspace
from facepipe.engine.events import Event, Remarked
from facepipe.engine.progress import format_event
from facepipe.engine.remark import Remark, remark_facts, remarks_in

HDR = Remark("hdr", "HDR (PQ), tone-mapped to standard range")


@dataclass(frozen=True)
class Params:
    number: int = 0


def remarking(run: StageRun[Params]) -> Mapping[str, Any]:
    (run.output / "out.txt").write_text(str(run.params.number))
    return {"remarks": remark_facts([HDR])}


STAGE = Stage(name="remarking", version=1, inputs=(), outputs=("out.txt",), params=Params, function=remarking)


def remarks_of_a_run(work: Path) -> list[Event]:
    events: list[Event] = []
    with Job(Workspace(work), {"job": "test"}, events=events.append) as job:
        job.run(STAGE, {}, Params(1), label="track driver")
        job.run(STAGE, {}, Params(2), label="track driver again")
        assert job.remarks == [HDR]
    return [event for event in events if isinstance(event, Remarked)]


def test_a_remark_is_emitted_once_also_from_a_stored_result(tmp_path: Path) -> None:
    for _ in range(2):
        (event,) = remarks_of_a_run(tmp_path)
        assert isinstance(event, Remarked)
        assert event.code == "hdr"
        assert format_event(event) == "note: track driver: HDR (PQ), tone-mapped to standard range"


def test_facts_of_an_older_version_have_no_remarks() -> None:
    assert remarks_in({"remarks": ["variable frame rate"]}) == ()
    assert remarks_in({"remarks": remark_facts([HDR])}) == (HDR,)
