"""A request: a command with its inputs and options, before any file is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from facepipe.engine import Job, Json
    from facepipe.pipeline.dependencies import Dependencies
    from facepipe.pipeline.options import Options
    from facepipe.settings import Settings


PORTRAIT = "The portrait: a picture, a video of which one frame is used, or an avatar (.json)."


@dataclass(frozen=True, kw_only=True)
class RequestBase:
    """Base of all requests: frozen dataclasses whose fields carry their declarations."""

    command: ClassVar[str]
    """The name of the command on the command line, in a batch and in Python."""


@dataclass(frozen=True, kw_only=True)
class Request(RequestBase, ABC):
    """A request whose results are files."""

    @abstractmethod
    def prepare(self, settings: Settings) -> Prepared:
        """Apply the settings and check everything that needs no file but presets. Raises UsageError, InputError."""


@dataclass(frozen=True)
class Prepared:
    """A request that is ready to run."""

    options: Options
    identity: Mapping[str, Json]
    """The identity of the job: the command, and the absolute paths of inputs and results."""
    dependencies: Dependencies
    make: Callable[[Job], list[Path]]
    """Makes and delivers the results, or plans them in a dry run, and returns their paths."""
    files: tuple[Path, ...] = ()
    """Every file that is delivered, except sidecars, which lie beside the results and have their names."""


def names(**paths: Path) -> dict[str, Any]:
    """Return absolute paths, by which a later run recognises the job."""
    return {role: str(path.absolute()) for role, path in paths.items()}
