"""`facepipe explain RESULT` prints a command line that makes the same bytes, whatever set the options at first."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

import facepipe
from facepipe.media.image import read_image
from tests.media.sounds import write_voice
from tests.pipeline.scene import Scene, run

WORK = ("--work", "work")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_voice(tmp_path / "voice.wav", 0.4)
    return tmp_path


def repeat(result: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Delete a result, run from another folder what `explain` prints, and compare."""
    told = run("explain", result)
    assert told.exit_code == 0, told.stderr
    assert told.stderr == ""
    before, result = result.read_bytes(), result.absolute()
    result.unlink()
    words = shlex.split(told.stdout)
    while "=" in words[0]:
        monkeypatch.setenv(*words.pop(0).split("=", 1))
    elsewhere = Path("elsewhere").absolute()
    elsewhere.mkdir(exist_ok=True)
    monkeypatch.chdir(elsewhere)
    made = run(*words[1:])
    assert made.exit_code == 0, made.stderr
    assert result.read_bytes() == before


@pytest.mark.parametrize(
    ("argv", "result"),
    [
        (["reenact", "{portrait}", "{motion}", "--strength", "0.7", "--grid", "--sheet", "sheet.png"], None),
        (
            ["audio", "{portrait}", "voice.wav", "--seed", "3", "--samples", "2", "--lookahead", "4"],
            "portrait--voice-2.mp4",
        ),
        (["edit", "{portrait}", "--yaw", "-12", "--sweep", "smile=0:1", "--frames", "4"], "portrait--edit.mp4"),
        (["edit", "{portrait}", "--random", "2", "--seed", "5"], "portrait--random-5-2.png"),
        (["crop", "{portrait}", "-o", "crops"], "crops/portrait.png"),
        (["motion", "{portrait}", "voice.wav", "-o", "m.npz", "--temperature", "0.5", "--fps", "30"], "m.npz"),
        (["features", "voice.wav", "-o", "f.npz", "--mfcc"], "f.npz"),
    ],
)
def test_the_printed_command_makes_the_same_bytes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, argv: list[str], result: str | None
) -> None:
    places = {"portrait": str(scene.portrait), "motion": str(scene.motion)}
    size = [] if argv[0] in ("motion", "features") else ["--size", "64"]
    made = run(*(one.format(**places) for one in argv), *size, *WORK)
    assert made.exit_code == 0, made.stderr
    repeat(Path(result or made.stdout.split()[0]), monkeypatch)


def test_settings_of_the_environment_and_of_files_are_written_out(
    scene: Scene, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "facepipe.toml").write_text("[output]\nsize_pixels = 64\nquality = 40\n")
    monkeypatch.setenv("FACEPIPE_WORK_SEGMENT_FRAMES", "7")
    made = run("reenact", scene.portrait, scene.motion, "-o", "out.mp4", *WORK)
    assert made.exit_code == 0, made.stderr
    monkeypatch.delenv("FACEPIPE_WORK_SEGMENT_FRAMES")
    (here / "facepipe.toml").unlink()
    repeat(Path("out.mp4"), monkeypatch)


def test_a_sidecar_tells_how_its_result_was_made(scene: Scene) -> None:
    options = ["--seed", "3", "--temperature", "0.5", "--fps", "30", "--lookahead", "4"]
    made = run("audio", scene.portrait, "voice.wav", "--size", "64", "-o", "a.mp4", *options, *WORK)
    assert made.exit_code == 0, made.stderr
    content: dict[str, Any] = json.loads(Path("a.mp4.json").read_text())
    told = {name: content["options"][name] for name in ("seed", "temperature", "fps", "lookahead")}
    assert told == {"seed": 3, "temperature": 0.5, "fps": "30", "lookahead": 4}
    rendered = next(stage for stage in content["stages"] if stage["stage"] == "render")
    assert rendered["facts"]["device"].startswith("CPU ")
    assert {"facepipe", "python", "numpy", "torch"} <= set(rendered["versions"])
    assert content["command"]["outs"] == {"-o": "a.mp4"}


def test_what_differs_now_is_said(scene: Scene, here: Path) -> None:
    portrait = here / "p.png"
    portrait.write_bytes(scene.portrait.read_bytes())
    assert run("edit", portrait, "--size", "64", "-o", "out.png", "--sheet", "sheet.png", *WORK).exit_code == 0
    assert run("explain", "sheet.png").stdout == run("explain", "out.png").stdout
    portrait.write_bytes(portrait.read_bytes() + b"x")
    assert f"{portrait} has changed since" in run("explain", "out.png").stderr
    portrait.unlink()
    assert f"{portrait} does not exist any more" in run("explain", "out.png").stderr
    facepipe.edit(read_image(scene.portrait), size=64, out="array.png", work="work")
    assert "source was an array" in run("explain", "array.png").stderr
    for name, code in (("none.png", 3), ("array.png.json", 3)):
        refused = run("explain", name)
        assert refused.exit_code == code
        assert "Traceback" not in refused.stderr
    Path("array.png").replace("moved.png")
    assert "so nothing says how it was made" in run("explain", "moved.png").stderr
