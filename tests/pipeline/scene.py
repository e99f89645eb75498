"""The program in this process, and small media that facepipe makes for itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

from facepipe.cli import app
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.media.ffmpeg import find_ffmpeg
from facepipe.media.probe import probe_video
from facepipe.spaces import bfm
from facepipe.spaces.bfm.coefficients import BfmCoefficients
from facepipe.spaces.files import load_coefficients

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    """How the program ended and what it said."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """What --json told."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    def made(self) -> list[str]:
        """Return the labels of what was made."""
        return [event["label"] for event in self.events if event["event"] == "done"]


@dataclass(frozen=True)
class Scene:
    """A portrait, a clip of it with sound, its motion file, and the work folder that knows them."""

    portrait: Path
    driver: Path
    motion: Path
    work: Path

    def run(self, *arguments: str | Path) -> Outcome:
        """Run a command in the work folder and expect it to do well."""
        outcome = run(*arguments, "--work", self.work)
        assert outcome.exit_code == 0, outcome.stderr
        return outcome


def run(*arguments: str | Path, given: str | bytes | None = None) -> Outcome:
    """Run the program, with `given` as its standard input."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="facepipe", input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


SEVERAL = """
import json, sys
from facepipe.cli import app
for argv in json.loads(sys.argv[1]):
    if code := app(argv, standalone_mode=False):
        sys.exit(code)
"""


def in_one_process(*commands: Sequence[str | Path]) -> list[str]:
    """Return the argv of a process that runs several commands, because each process needs seconds to load torch."""
    return [sys.executable, "-c", SEVERAL, json.dumps([[str(word) for word in command] for command in commands])]


def rewritten(video: Path, out: Path, change: Callable[[int, np.ndarray], np.ndarray]) -> Path:
    """Write a video with changed frames, and the sound of before."""
    info, silent = probe_video(video), out.with_suffix(".silent.mp4")
    with VideoWriter(silent, size=(info.width, info.height), fps=info.fps, quality=90) as writer:
        for number, frame in enumerate(decode_frames(video, info=info)):
            writer.write(change(number, frame))
    ffmpeg("-i", silent, "-i", video, "-map", "0:v", "-map", "1:a", "-c", "copy", out)
    return out


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg."""
    command = [find_ffmpeg(), "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def bfm_of(path: Path) -> BfmCoefficients:
    """Read coefficients in the space bfm."""
    found = load_coefficients(path, space=bfm.SPACE)
    assert isinstance(found, BfmCoefficients)
    return found
