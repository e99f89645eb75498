"""Every training of the command line starts: its module has a `main` that prints a help page of the same name."""

from __future__ import annotations

import pytest
import typer

from facepipe.cli.train import app
from tests.pipeline.scene import run

COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
def test_it_prints_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run("train", command, "--help")
    assert outcome.exit_code == 0, outcome.stderr
    assert f"facepipe train {command}" in outcome.stdout + capsys.readouterr().out
