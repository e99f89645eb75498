"""The command that makes a result, as its sidecar repeats it and `facepipe explain` prints it."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facepipe.errors import InputError
from facepipe.pipeline.delivery import FORMAT, sidecar_of


@dataclass(frozen=True)
class Invocation:
    """A command with its inputs and options."""

    command: str
    inputs: tuple[Path | tuple[Path, ...], ...] = ()
    """The positional arguments, in order; a tuple for one that takes several files. Absolute paths."""
    options: tuple[str, ...] = ()
    """The options that are not at their defaults, whatever set them, as words of the command line."""
    outs: Mapping[str, Path] = field(default_factory=dict)
    """The files to write, by flag."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Settings without an option, as environment variables."""

    def of_item(self, item: Path, out: Path) -> Invocation:
        """Return the invocation for one of several items: its file in place of all files, and its result."""
        inputs = tuple((item.absolute(),) if isinstance(one, tuple) else one for one in self.inputs)
        return replace(self, inputs=inputs, outs={"-o": out})

    def as_json(self, folder: Path) -> dict[str, Any]:
        """Return the entry of a sidecar in `folder`. The files to write are relative to it."""
        files = [one for given in self.inputs for one in (given if isinstance(given, tuple) else (given,))]
        start = folder.absolute()
        return {
            "arguments": [*self.command.split(), *map(str, files), *self.options],
            "outs": {
                flag: Path(os.path.relpath(path.absolute(), start)).as_posix() for flag, path in self.outs.items()
            },
            "environment": dict(self.environment),
        }


def read_sidecar(result: Path) -> tuple[Path, Mapping[str, Any]]:
    """Return the path and the content of the sidecar that lists a result. Raises InputError if there is none."""
    for path in (sidecar_of(result), *sorted(result.absolute().parent.glob("*.json"))):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] == FORMAT and result.name in {Path(name).name for name in content["files"]}:
                return path, content
        except (OSError, ValueError, KeyError, TypeError):
            continue
    if not result.exists():
        raise InputError(f"{result}: does not exist; give a file that facepipe made")
    raise InputError(f"{result}: no sidecar ({sidecar_of(result).name}) lists it, so nothing says how it was made")


def command_line(sidecar: Path, content: Mapping[str, Any]) -> str:
    """Return the command line, for a POSIX shell, that makes the result of a sidecar. Raises InputError."""
    if "command" not in content:
        raise InputError(f"{sidecar}: was written by a version of facepipe that did not record the command")
    command, folder = content["command"], sidecar.absolute().parent
    outs = [word for flag, name in command["outs"].items() for word in (flag, os.path.normpath(folder / name))]
    settings = [f"{name}={shlex.quote(value)}" for name, value in command["environment"].items()]
    return " ".join([*settings, shlex.join(["facepipe", *command["arguments"], *outs])])
