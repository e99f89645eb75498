"""The options of commands: headings, placeholders, completion, the log file, -q, and what a command needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from facepipe.cli import app
from facepipe.media.encode import CODECS
from facepipe.requests import REQUESTS
from facepipe.requests.declaration import declared
from facepipe.weights import WeightFile, find
from tests.pipeline.scene import Scene, run
from tests.preloaded import Child


def help_of(command: str) -> str:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"})
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("command", REQUESTS)
def test_every_option_stands_under_the_heading_of_what_it_shapes(command: str) -> None:
    text = help_of(command)
    for field in declared(REQUESTS[command]).values():
        heading = "Arguments" if field.option.positional else field.panel
        assert heading, field.name
        section = text.split(f"\n{heading}:\n")[1].split("\n\n")[0]
        assert (field.name.upper() if field.option.positional and not field.option.metavar else "") in section
        assert field.option.positional or f"{field.flag} " in f"{section} ", field.name
    assert "\nOptions:\n" not in text


def test_choices_and_bounds_are_in_the_help() -> None:
    text = help_of("edit")
    assert "--no-face fail|hold|source|cut" in help_of("crop")
    assert "Lower the jaw.  [-1.32 to 2]" in text
    assert "<=x" not in text


def test_help_speaks_of_what_the_command_does() -> None:
    assert "driver" not in help_of("render").split("--grid")[1].splitlines()[0]
    assert "driver" not in help_of("edit").split("--grid")[1].splitlines()[0]
    assert "rendered face" not in help_of("crop").split("--size")[1].splitlines()[0]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("reenact --renderer ", {"avatar", "bilayer", "compact", "imf", "mesh", "pirender"}),
        ("reenact --codec ", set(CODECS)),
        ("reenact --fit ", {"shortest", "driver", "pad"}),
        ("edit --only ", {"all", "expression", "pose"}),
        ("edit --sweep ya", {"yaw="}),
        ("edit --sm", {"--smile", "--smile-left", "--smile-right"}),
        ("render --force re", {"render", "report"}),
        ("reenact --weights pirender-c", {"pirender-compact"}),
        ("edit --preset pre", {"preset.json"}),
        ("weights verify det", {"detector"}),
        ("batch --command au", {"audio"}),
        ("batch --keep co", {"coefficients"}),
    ],
)
def test_values_are_completed(typed: str, offered: set[str], tmp_path: Path) -> None:
    (tmp_path / "preset.json").touch()
    (tmp_path / "preview.mp4.json").touch()
    words = ["facepipe", *typed.split(" ")]
    complete = {"_FACEPIPE_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    printed, errors = Child([], complete, tmp_path).communicate()
    assert set(printed.decode().split()) == offered, errors


def test_the_log_file_holds_every_event_whatever_is_printed(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["crop", str(scene.portrait), "-o", "a.png", "--size", "64", "--log-file", "log.jsonl", "-q"]
    done = run(*command)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "a.png\na.track.npz\n", "")
    first = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]
    assert [one["event"] for one in first if one["event"] != "progress"] == [
        "start",
        "done",
        "result",
        "result",
        "summary",
    ]
    assert run("crop", "none.png", "-o", "b.png", "--log-file", "log.jsonl").exit_code == 3
    added = [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()][len(first) :]
    assert added[-1]["event"] == "error"
    assert added[-1]["exit_code"] == 3
    assert "none.png" in added[-1]["message"]
    refused = run("crop", scene.portrait, "-o", "c.png", "--log-file", "no/log.jsonl")
    assert refused.exit_code == 3
    assert "--log-file no/log.jsonl: cannot be written" in refused.stderr


def test_every_command_takes_q_and_v_before_and_after_its_name() -> None:
    def commands(group: typer.core.TyperGroup, above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], set[str]]]:
        found = []
        for name, one in group.commands.items():
            if isinstance(one, typer.core.TyperGroup):
                found += commands(one, (*above, name))
            else:
                found.append(((*above, name), {flag for param in one.params for flag in param.opts}))
        return found

    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    lacking = [names for names, flags in commands(group) if not {"-q", "-v"} <= flags]
    assert lacking == []
    assert {"-q", "-v"} <= {flag for param in group.params for flag in param.opts}


def test_a_training_speaks_like_the_other_commands() -> None:
    shown = run("train", "landmarker", "-h")
    assert shown.exit_code == 0
    text = shown.stdout
    assert text.startswith("Usage: facepipe train landmarker")
    options = text.split("Options:\n")[1]
    assert "--steps N" in options
    assert all(len(block.split()) > 2 for block in options.split("\n  -")), "an option without a text"
    refused = run("train", "landmarker", "--data", "x")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("facepipe: the following arguments are required: --labels")


def test_crop_does_not_need_the_renderer(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEPIPE_RENDER_RENDERER")
    seen: list[str] = []

    def found(name: str) -> WeightFile:
        seen.append(name)
        return find(name)

    monkeypatch.setattr("facepipe.weights.find", found)
    done = run("crop", scene.portrait, "-o", tmp_path / "a.png", "--size", "64", "--work", tmp_path / "work")
    assert done.exit_code == 0, done.stderr
    assert set(seen) == {"detector", "landmarker"}
