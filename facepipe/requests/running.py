"""Running a request as a job. Events are passed to a function; this module does not use the terminal."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from facepipe.errors import UsageError
from facepipe.requests.resolution import settings_for

if TYPE_CHECKING:
    from facepipe.engine import Job
    from facepipe.engine.events import Sink
    from facepipe.requests.request import Request
    from facepipe.settings import Settings


def run(
    request: Request,
    settings: Settings,
    *,
    force: Collection[str] | str = (),
    dry_run: bool = False,
    events: Sink | None = None,
) -> list[Path]:
    """Run a request, or plan it in a dry run, and return the paths of its results.

    `force` names the stages that run again even if their results exist; "all" means every stage. Raises FacepipeError;
    a FailedItemsError holds the paths of the results that were made.
    """
    from facepipe.engine import Job, Workspace
    from facepipe.engine.events import ignore
    from facepipe.stages import NAMES

    force = (force,) if isinstance(force, str) else force
    for name in force:
        if name not in (*NAMES, "all"):
            raise UsageError(f"--force {name}: unknown stage; expected all, or one of {', '.join(NAMES)}")
    prepared = request.prepare(settings)
    workspace = Workspace(Path(settings_for(request, settings).work.folder))
    with Job(workspace, prepared.identity, force=force, dry_run=dry_run, events=events or ignore) as job:
        made = prepared.make(job)
        _remark_compilation(job)
        return made


def _remark_compilation(job: Job) -> None:
    """Remark that loops were compiled and could not be stored for the next run."""
    loaded = sys.modules.get("facepipe.models.compiled")  # imports numba, which not every job needs
    if loaded and loaded.compiled_in_vain():
        from facepipe.engine.remark import Remark

        text = (
            f"no folder for compiled code is writable, so every run compiles for up to half a minute; {loaded.REMEDY}"
        )
        job.remark(Remark("no-compilation-cache", text), label="numba")
