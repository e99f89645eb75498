"""From arguments and settings to a job: what `reenact`, `edit` and `plan` share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from facepipe.errors import UsageError

if TYPE_CHECKING:
    from facepipe.engine import Job
    from facepipe.engine.events import Sink
    from facepipe.pipeline.options import Options


def options_of(flags: dict[str, Any], **others: Any) -> tuple[Options, Path]:
    """Return what a job is asked for, and its work folder; `flags` maps "section.key" to what was given, or None."""
    from facepipe.config import load_settings
    from facepipe.media.limits import MediaLimits
    from facepipe.motion.retargeting import Retargeting
    from facepipe.pipeline.options import Options

    settings = load_settings(flags=flags)
    check_face_rule(settings.face.face, "--face")
    check_face_rule(settings.face.driver_face, "--driver-face")
    if settings.output.size_pixels % 2:
        raise UsageError(
            f"--size is {settings.output.size_pixels}; video needs an even number. "
            f"Take {settings.output.size_pixels + 1}."
        )
    options = Options(
        size_pixels=settings.output.size_pixels,
        quality=settings.output.quality,
        codec=settings.output.codec,
        fit=settings.output.fit,
        renderer=settings.render.renderer,
        face=settings.face.face,
        driver_face=settings.face.driver_face,
        no_face=settings.face.no_face,
        smoothing=settings.motion.smoothing,
        retargeting=Retargeting(
            motion=settings.motion.motion,
            strength=settings.motion.strength,
            only=settings.motion.only,
            scale=settings.motion.scale,
            reference=settings.motion.reference,
        ),
        limits=MediaLimits(settings.media.max_pixels, settings.media.max_duration_seconds),
        segment_frames=settings.work.segment_frames,
        **others,
    )
    return options, Path(settings.work.folder)


def check_face_rule(rule: str, flag: str) -> None:
    """Raise UsageError for what is no way to choose a face."""
    if rule not in ("largest", "left", "right") and not (rule.isdigit() and int(rule) >= 1):
        raise UsageError(
            f"{flag} is {rule!r}, expected largest, left, right, or a number from 1, counted from the left."
        )


def run_job(
    identity: dict[str, Any],
    work: Path,
    body: Callable[[Job], None],
    *,
    force: list[str] | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run a job's body with the sink that suits, and only then say where the results lie."""
    from facepipe.console import open_sink
    from facepipe.engine import Job, Workspace
    from stages import NAMES

    for name in force or ():
        if name not in (*NAMES, "all"):
            raise UsageError(
                f"--force {name}: there is no such stage. Stages are {', '.join(NAMES)}; all means each of them."
            )
    with open_sink(as_json=as_json, quiet=quiet) as sink:
        events = sink if as_json else _told_elsewhere(sink)
        with Job(Workspace(work), identity, force=force or (), dry_run=dry_run, events=events) as job:
            body(job)


def _told_elsewhere(sink: Sink) -> Sink:
    """Keep back the failure that ends the program: the guard tells it, and once is enough."""
    from facepipe.engine.events import Failed

    return lambda event: None if isinstance(event, Failed) else sink(event)


def tell_result(out: Path, *, as_json: bool, dry_run: bool) -> None:
    """Print where a result lies, alone on stdout, so that a shell can take it up."""
    if not as_json and not dry_run:
        # As bytes, because a name need not be text in the encoding of the terminal.
        typer.echo(os.fsencode(out))
