"""`facepipe explain`: how a result was made."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from facepipe.cli import arguments as a
from facepipe.cli.folders import AsJson
from facepipe.cli.guard import Verbose

Made = Annotated[Path, typer.Argument(metavar="RESULT", help="A file that facepipe made.", show_default=False)]


def explain(
    result: Made,
    as_json: AsJson = False,
    quiet: a.Quiet = False,
    _verbose: Verbose = False,
) -> None:
    """Print the command line that makes a result again, from the sidecar RESULT.json beside it.

    The same inputs, weights and versions give the same bytes. What differs now is printed to stderr.
    """
    from facepipe.pipeline.invocation import command_line, read_sidecar

    sidecar, content = read_sidecar(result)
    line, notes = command_line(sidecar, content), [*_inputs(content), *_versions(content)]
    if as_json:
        told = {"schema": 1, "sidecar": str(sidecar), "command_line": line, "differs": notes}
        typer.echo(json.dumps({**told, **content["command"]}, sort_keys=True))
        return
    typer.echo(line)
    for note in () if quiet else notes:
        print(f"note: {note}", file=sys.stderr)


def _inputs(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each input that is missing or has changed."""
    from facepipe.engine.digest import digest_stream

    arguments = [Path(one) for one in content["command"]["arguments"]]
    for role, entry in content.get("inputs", {}).items():
        if "path" not in entry:
            yield f"{role} was an array in Python; save it as a PNG picture and give its path"
            continue
        # As given, perhaps relative to another folder; the arguments are absolute.
        given = Path(entry["path"])
        path = next((one for one in arguments if one.name == given.name), given)
        if not path.is_file():
            yield f"{path} does not exist any more"
        elif "sha256" in entry:
            with path.open("rb") as file:
                if digest_stream(file) != entry["sha256"]:
                    yield f"{path} has changed since"


def _versions(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each version that differs from the installed one."""
    made_with = {name: value for stage in content["stages"] for name, value in stage.get("versions", {}).items()}
    for name, value in sorted(made_with.items()):
        installed = _installed(name)
        if installed.partition("+")[0] != value.partition("+")[0]:
            yield f"{name} was {value} and is {installed}; the bytes may differ"


def _installed(name: str) -> str:
    """Return the installed version of Python or of a library by its name in records; "not installed" without it."""
    from importlib.metadata import PackageNotFoundError, version

    if name == "python":
        return ".".join(map(str, sys.version_info[:3]))
    if name == "opencv":  # Several packages provide it, whose versions have a fourth number.
        import cv2

        return str(cv2.__version__)
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
