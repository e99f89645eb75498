"""One stage on files and folders, with one result per file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facepipe.requests.request import Prepared, names

if TYPE_CHECKING:
    from facepipe.engine import Job
    from facepipe.pipeline.audio import TakeOptions
    from facepipe.pipeline.dependencies import Dependencies
    from facepipe.pipeline.options import Options

SUFFIXES = {"crop": (".png", ".mp4"), "matte": (".png", ".mp4", ".webm"), "blendshapes": (".csv", ".npz")}
"""The results of commands whose results are neither .npz nor in a chosen container."""


@dataclass(frozen=True)
class Work:
    """A stage and its items."""

    command: str
    inputs: tuple[Path, ...]
    out: Path
    wanted: Callable[[Path], bool]
    """Returns whether a file in a folder is an item."""
    kinds: str
    """Description of the files that can be items, for messages."""
    source: Path | None = None
    """The portrait, for all items."""
    encodes: bool = False
    """Whether the stage encodes frames."""
    sees: bool = True
    """Whether the stage detects faces."""


def prepared(
    work: Work, options: Options, dependencies: Dependencies, audio: TakeOptions | None = None, **params: Any
) -> Prepared:
    """Return the prepared request that runs the stage on all items. `params` are passed to the method of Steps."""
    identity: dict[str, Any] = {"command": work.command, "inputs": [str(path.absolute()) for path in work.inputs]}
    identity |= names(out=work.out, **({"source": work.source} if work.source else {}))

    def make(job: Job) -> list[Path]:
        from facepipe.pipeline.batch import run_items
        from facepipe.pipeline.steps import Steps

        items, weights = _check(work, options, job)
        steps = Steps(job, options, weights, work.source, audio)
        return run_items(job, work.command, items, partial(getattr(steps, work.command), **params))

    return Prepared(options, identity, dependencies, make, _files(work))


def _files(work: Work) -> tuple[Path, ...]:
    """Return the files that are delivered to `-o`; for a folder, the paths of the results without suffix."""
    from facepipe.pipeline.items import TRACK, without_suffix

    if not work.out.suffix:
        return tuple(work.out / path.stem for path in work.inputs)
    base = without_suffix(work.out)
    return (work.out, *([base.with_name(base.name + TRACK)] if work.command == "crop" else []))


def _check(work: Work, options: Options, job: Job) -> tuple[list[Any], dict[str, Any]]:
    """Return the items and the verified weights. Raises PrecheckError with everything that is missing."""
    from facepipe.media.encode import check_codec
    from facepipe.pipeline.backdrop import check_backdrop
    from facepipe.pipeline.items import find_items
    from facepipe.pipeline.naming import free_items
    from facepipe.pipeline.precheck import all_of, check_work_folder

    checks: list[Callable[[], Any]] = [
        lambda: find_items(work.inputs, work.out, work.wanted, kinds=work.kinds),
        lambda: _perception(work, options),
        lambda: _own_weights(work, options),
        lambda: check_backdrop(options),
    ]
    checks += [lambda: check_codec(options.codec)] if work.encodes else []
    checks += [options.provenance.check] if work.command == "render" else []
    checks.append(lambda: check_work_folder(job))
    items, perception, rendering = all_of(checks)[:3]
    suffixes = {**SUFFIXES, "render": (f".{options.container}",)}.get(work.command, (".npz",))
    return free_items(job, items, work.source, suffixes), {**perception, **rendering}


def _own_weights(work: Work, options: Options) -> dict[str, Any]:
    """Return the weights of a command besides those of `_perception`."""
    from facepipe.pipeline.precheck import find_weights
    from facepipe.pipeline.rendering import renderer_weights
    from facepipe.rendering.spec import MATTING

    if work.command == "matte":
        return find_weights(MATTING)
    return renderer_weights(options) if work.command == "render" else {}


def _perception(work: Work, options: Options) -> dict[str, Any]:
    """Return the weights that find faces and, except for `crop` and `matte`, those that estimate motion."""
    from facepipe.pipeline.perception import crop_weights, perception_weights

    if not work.sees:
        return {}
    return crop_weights(options) if work.command in ("crop", "matte") else perception_weights(options)
