"""The program run on a folder of files, in this process or as its own, and what it left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from facepipe.cli import app
from tests.preloaded import Child

ROOT = Path(__file__).parents[2]
FRAMES = 40
"""Of the driver and the motion file of a scene."""
CODE = "from facepipe.cli import main; main()"


@dataclass(frozen=True)
class Outcome:
    """How the program ended and what it said."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def message(self) -> str:
        """What was told to the user in the end."""
        return self.stderr.rpartition("facepipe: ")[2].strip()

    @property
    def events(self) -> list[dict[str, Any]]:
        """What --json told."""
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith("{")]


@dataclass(frozen=True)
class Scene:
    """A folder with a good portrait, a good driver and a good motion file, and a work folder that knows them."""

    folder: Path
    portrait: Path
    driver: Path
    motion: Path
    work: Path

    @property
    def out(self) -> Path:
        """Where the result is to go."""
        return self.folder / "out.mp4"

    def write(self, name: str, content: bytes) -> Path:
        """Make a file."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    def files(self) -> set[str]:
        """Return the names of all that lies in the folder."""
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if self.work not in path.parents}


def run(*arguments: str | Path) -> Outcome:
    """Run the program in this process, which spares it to load torch again."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="facepipe")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def start(
    *arguments: str | Path | bytes,
    environment: Mapping[str, str] | None = None,
    before: tuple[str, ...] = (),
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start the program as its own process; `before` stands before its command (setpriv, say)."""
    command = [*before, sys.executable, "-c", CODE, *arguments]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **(environment or {})}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=variables, cwd=folder
    )


def finish(child: subprocess.Popen[bytes] | Child) -> Outcome:
    """Wait for a started program."""
    out, errors = child.communicate()
    return Outcome(child.wait(), out.decode("utf-8", "replace"), errors.decode("utf-8", "replace"))


def assert_whole(work: Path) -> None:
    """Check that a work folder holds finished results and nothing else."""
    assert list(work.rglob("*.draft")) == []
    for folder in work.glob("*/??/*"):
        record = json.loads((folder / "record.json").read_text())
        held = {path.name: path.stat().st_size for path in folder.iterdir() if path.name != "record.json"}
        assert held == {name: output["bytes"] for name, output in record["outputs"].items()}, folder
