"""From arguments and settings to a job: what the commands that make something share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from facepipe.cli.arguments import FLAG_NAMES, Given
from facepipe.errors import UsageError

if TYPE_CHECKING:
    from facepipe.config import Settings
    from facepipe.engine import Job
    from facepipe.engine.events import Event, Sink
    from facepipe.motion.utterance import Delivery
    from facepipe.pipeline.dependencies import Dependencies
    from facepipe.pipeline.options import Options


@dataclass(frozen=True)
class Running:
    """How a job is run."""

    force: list[str] | None = None
    dry_run: bool = False
    as_json: bool = False
    quiet: bool = False


def options_of(given: Given, **others: Any) -> tuple[Options, Path]:
    """Return what a job is asked for, and its work folder."""
    from facepipe.config import load_settings
    from facepipe.media.limits import MediaLimits
    from facepipe.pipeline.options import Options
    from facepipe.pipeline.provenance import Provenance
    from facepipe.spaces.retargeting import Retargeting

    settings = load_settings(flags=given.settings, flag_names=FLAG_NAMES)
    check_face_rule(settings.face.face, "--face")
    check_face_rule(settings.face.driver_face, "--driver-face")
    check_number(settings.motion.reference, ("best", "first"), "--reference")
    check_number(others.get("source_frame", "best"), ("best",), "--source-frame")
    if settings.output.size_pixels % 2:
        size = settings.output.size_pixels
        raise UsageError(f"--size is {size}; video needs an even number. Take {size + 1}.")
    renderer, space = _renderer_and_space(settings)
    options = Options(
        size_pixels=settings.output.size_pixels,
        quality=settings.output.quality,
        codec=settings.output.codec,
        fit=settings.output.fit,
        renderer=renderer,
        weights=settings.render.weights,
        compiled=settings.render.compile,
        face=settings.face.face,
        driver_face=settings.face.driver_face,
        no_face=settings.face.no_face,
        landmarker=settings.face.landmarker,
        space=space,
        smoothing=_default_of(settings, space, "motion.smoothing") or settings.motion.smoothing,
        retargeting=Retargeting(
            motion=_default_of(settings, space, "motion.motion") or settings.motion.motion,  # type: ignore[arg-type]
            strength=settings.motion.strength,
            only=settings.motion.only,
            scale=settings.motion.scale,
            reference=settings.motion.reference,
        ),
        limits=MediaLimits(settings.media.max_pixels, settings.media.max_duration_seconds),
        segment_frames=settings.work.segment_frames,
        provenance=Provenance(
            certificate=path_of(settings.provenance.certificate),
            key=path_of(settings.provenance.key),
            consent=path_of(settings.provenance.consent),
            require_consent=settings.provenance.require_consent,
        ),
        **others,
    )
    return options, Path(settings.work.folder)


def path_of(setting: str) -> Path | None:
    """Return the path that a setting names; None for an empty one."""
    return Path(setting).expanduser() if setting else None


def _renderer_and_space(settings: Settings) -> tuple[str, str]:
    """Return the renderer, chosen or implied by network or space, and the space, chosen or implied by the renderer."""
    from facepipe.config import DEFAULT
    from facepipe.pipeline.rendering import renderer_for
    from facepipe.renderers import RENDERERS
    from facepipe.spaces import SPACES

    renderer, space = settings.render.renderer, settings.face.space
    check_choice(renderer, RENDERERS, "--renderer")
    check_choice(space, ("auto", *SPACES), "--space")
    if settings.origin("render.renderer") == DEFAULT:
        renderer = renderer_for(settings.render.weights, space, default=renderer)
    return renderer, RENDERERS[renderer].space if space == "auto" else space


def check_choice(value: str, choices: Iterable[str], flag: str) -> None:
    """Raise UsageError for a value that is not one of the choices."""
    if value not in (names := list(choices)):
        raise UsageError(f"{flag} is {value!r}; expected one of {', '.join(names)}")


def _default_of(settings: Settings, space: str, name: str) -> str:
    """Return the motion space's own default of a setting; empty if it has none, or if the user gives a value."""
    from facepipe.config import DEFAULT
    from facepipe.spaces import SPACES

    return SPACES[space].defaults.get(name, "") if settings.origin(name) == DEFAULT else ""


def check_face_rule(rule: str, flag: str) -> None:
    """Raise UsageError for what is no way to choose a face."""
    if rule not in ("largest", "left", "right") and not (rule.isdecimal() and int(rule) >= 1):
        raise UsageError(
            f"{flag} is {rule!r}, expected largest, left, right, or a number from 1, counted from the left."
        )


def check_number(rule: str, words: tuple[str, ...], flag: str) -> None:
    """Raise UsageError for what is neither one of the words nor the number of a frame."""
    if rule not in words and not rule.isdecimal():
        raise UsageError(f"{flag} is {rule!r}, expected {', '.join(words)}, or the number of a frame from 0.")


def fps_of(text: str) -> Fraction:
    """Return a frame rate. Raises UsageError for what is none, or none that a video has."""
    try:
        fps = Fraction(text)
    except (ValueError, ZeroDivisionError):
        fps = Fraction(0)
    if not 1 <= fps <= 240 or fps.denominator > 1001:
        raise UsageError(f"--fps is {text!r}, expected frames a second from 1 to 240, as 25, 29.97 or 30000/1001.")
    return fps


def delivery_of(said: Mapping[str, Any]) -> Delivery:
    """Return how something is said, by the flags of `arguments.SPEECH`."""
    from facepipe.motion.aids import Aids
    from facepipe.motion.utterance import Delivery

    names = ("seed", "temperature", "expression_strength", "pose_strength", "still")
    aids = {name: said[name] for name in ("blinks", "breath", "smooth_head", "resting_lips", "steady_lips")}
    lookahead = -1 if said["lookahead"] is None else said["lookahead"]
    return Delivery(**{name: said[name] for name in names}, lookahead=lookahead, aids=Aids(**aids))


Runner = Callable[[dict[str, Any], "Callable[[Job], None]", "Dependencies"], None]
RUNNER: ContextVar[Runner | None] = ContextVar("runner", default=None)
"""What runs the jobs of commands that are called for the rows of a batch, in place of the terminal's way."""


def run_job(
    identity: dict[str, Any],
    work: Path,
    body: Callable[[Job], None],
    running: Running,
    uses: Dependencies | None = None,
) -> None:
    """Run a job's body with the sink that suits. A command that makes results declares the dependencies it `uses`."""
    if (runner := RUNNER.get()) is not None:
        assert uses is not None, f"{identity['command']} declares no dependencies"
        runner(identity, body, uses)
        return
    from facepipe.console import open_sink
    from facepipe.engine import Job, Workspace
    from stages import NAMES

    for name in running.force or ():
        if name not in (*NAMES, "all"):
            raise UsageError(
                f"--force {name}: there is no such stage. Stages are {', '.join(NAMES)}; all means each of them."
            )
    with open_sink(as_json=running.as_json, quiet=running.quiet) as sink:
        events = sink if running.as_json else _told_once(sink)
        with Job(Workspace(work), identity, force=running.force or (), dry_run=running.dry_run, events=events) as job:
            body(job)


def _told_once(sink: Sink) -> Sink:
    """Keep back the failure that ends the program, for the guard tells it; one after which work goes on is told."""
    from facepipe.engine.events import Failed, Summary

    kept: list[Event] = []

    def tell(event: Event) -> None:
        if isinstance(event, Summary):
            kept.clear()
        while kept:
            sink(kept.pop())
        if isinstance(event, Failed):
            kept.append(event)
        else:
            sink(event)

    return tell


def tell_results(outs: Iterable[Path], running: Running) -> None:
    """Print where results lie, alone on stdout, one a line, so that a shell can take them up."""
    if not running.as_json and not running.dry_run and RUNNER.get() is None:
        for out in outs:
            # As bytes, because a name need not be text in the encoding of the terminal.
            typer.echo(os.fsencode(out))
