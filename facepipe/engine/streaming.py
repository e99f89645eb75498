"""A stage's work item by item, for a caller who takes the items as they are made; nothing is stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from typing import TypeVar

from facepipe.engine.events import Done, Progress, Start
from facepipe.engine.job import PROGRESS_SECONDS, Job
from facepipe.engine.stage import Stage, StageRun, WeightFile
from facepipe.engine.workspace import Inputs

P = TypeVar("P")
T = TypeVar("T")

STREAMED = "not stored"
"""The reason that the event Start gives."""


def stream(
    job: Job,
    stage: Stage[P],
    function: Callable[[StageRun[P]], Generator[T, None, None]],
    inputs: Inputs,
    params: P,
    *,
    label: str,
    weights: Mapping[str, WeightFile] | None = None,
    frames: int | None = None,
) -> Iterator[T]:
    """Yield what a function makes of the inputs of a stage, item by item. Closing the iterator closes the function's.

    `label` and `frames` are those of `Job.run`. Raises what `Workspace.run_of` and the function raise.
    """
    started = reported = time.monotonic()
    done = 0
    job.emit(Start(stage=stage.name, label=label, reason=STREAMED, fingerprint=None, frames=frames))
    try:
        run = job.workspace.run_of(stage, inputs, params, weights)
        with job.workspace.stage_errors(stage, run), closing(function(run)) as items:
            for done, item in enumerate(items, start=1):
                yield item
                if time.monotonic() - reported >= PROGRESS_SECONDS:
                    reported = time.monotonic()
                    job.emit(Progress(stage=stage.name, label=label, frames_done=done, frames=frames))
    except GeneratorExit:
        raise
    except BaseException as error:
        job.fail(stage.name, label, error)
        raise
    job.count(done)
    seconds = round(time.monotonic() - started, 3)
    job.emit(Done(stage=stage.name, label=label, fingerprint=None, seconds=seconds, frames_done=done, folder=""))
