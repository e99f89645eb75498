"""Results under a default name, and results in a folder that does not exist."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.media.sounds import write_voice
from tests.pipeline.scene import Scene, run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def events(stdout: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stdout.splitlines()]


def test_a_result_of_other_settings_is_not_replaced_in_silence(scene: Scene) -> None:
    edit = ["edit", str(scene.portrait), "--size", "64"]
    assert "replaced" not in run(*edit, "--yaw", "10").stderr
    assert "replaced" not in run(*edit, "--yaw", "10").stderr
    assert "portrait--edit.png was replaced (yaw: 10.0 -> 20.0)" in run(*edit, "--yaw", "20").stderr
    reenact = ["reenact", str(scene.portrait), str(scene.motion), "--size", "64"]
    run(*reenact)
    told = [one for one in events(run(*reenact, "--strength", "0.7", "--json").stdout) if one["event"] == "remark"]
    replaced = [one for one in told if one["code"] == "replaced"]
    assert len(replaced) == 1
    assert "(strength: 1.0 -> 0.7)" in replaced[0]["message"]


def test_a_dry_run_names_the_setting_that_changed(scene: Scene) -> None:
    command = ["reenact", str(scene.portrait), str(scene.motion), "--size", "64"]
    run(*command)
    assert "(settings changed (strength: 1.0 -> 0.7)" in run(*command, "--strength", "0.7", "--dry-run").stderr
    edit = ["edit", str(scene.portrait), "--size", "64"]
    run(*edit, "--yaw", "10", "--smile", "0.5")
    planned = run(*edit, "--yaw", "12", "--smile", "0.5", "--dry-run").stderr
    assert "(settings changed (yaw: 10 -> 12)" in planned


def test_every_command_makes_the_folder_of_its_result(scene: Scene, here: Path) -> None:
    write_voice(here / "voice.wav", 0.4)
    portrait, size, work = str(scene.portrait), ("--size", "64"), ("--work", "work")
    commands: dict[str, list[str]] = {
        "reenact.mp4": ["reenact", portrait, str(scene.motion), *size, *work, "--sheet", "no/sheet/sheet.png"],
        "audio.mp4": ["audio", portrait, "voice.wav", *size, *work],
        "edit.png": ["edit", portrait, "--yaw", "5", *size, *work, "--save-preset", "no/presets/a.json"],
        "crop.png": ["crop", portrait, *size, *work],
        "coefficients.npz": ["coefficients", portrait, *work],
        "features.npz": ["features", "voice.wav", *work],
        "motion.npz": ["motion", portrait, str(scene.motion), *work],
        "render.mp4": ["render", portrait, str(scene.motion), *size, *work],
        "mux.mp4": ["mux", "no/reenact/reenact.mp4", *work],
    }
    for name, argv in commands.items():
        out = Path("no", name.partition(".")[0], name)
        planned = run(*argv, "-o", str(out), "--dry-run")
        assert planned.exit_code == 0, planned.stderr
        assert not out.parent.exists()
        made = run(*argv, "-o", str(out))
        assert made.exit_code == 0, made.stderr
        assert out.is_file()
    assert Path("no/sheet/sheet.png").is_file()
    assert Path("no/presets/a.json").is_file()
    (here / "file").touch()
    refused = run("crop", portrait, *size, *work, "-o", "file/x.png")
    assert refused.exit_code == 3
    assert "file is a file, not a folder" in refused.stderr


def test_every_take_and_what_lies_beside_it_is_named(scene: Scene, here: Path) -> None:
    write_voice(here / "voice.wav", 0.4)
    command = ["audio", str(scene.portrait), "voice.wav", "--size", "64", "--samples", "2", "-o", "take.mp4"]
    names = [
        f"{name}-{take}.{suffix}" for name, suffix in (("take", "mp4"), ("s", "png"), ("r", "png")) for take in (1, 2)
    ]
    command += ["--sheet", "s.png", "--report", "r.png"]
    assert run(*command).stdout.split() == names
    told = [Path(one["path"]).name for one in events(run(*command, "--json").stdout) if one["event"] == "result"]
    assert sorted(told) == sorted(names)


@pytest.fixture
def twins(scene: Scene, here: Path) -> list[Path]:
    """Two portraits of one name, and a third of the same full name in another folder."""
    (here / "b").mkdir()
    portraits = [here / "p.png", here / "p.jpg", here / "b" / "p.jpg"]
    for number, path in enumerate(portraits):
        Image.open(scene.portrait).convert("RGB").rotate(number, fillcolor="white").save(path)
    return portraits


def test_a_default_name_does_not_replace_a_result_of_other_inputs(scene: Scene, here: Path, twins: list[Path]) -> None:
    write_voice(here / "v.wav", 0.4)
    motion = here / "m.npz"
    motion.write_bytes(scene.motion.read_bytes())
    commands = {
        ("reenact", "m.npz"): ["p--m.mp4", "p.jpg--m.npz.mp4", "p.jpg--m.npz.2.mp4"],
        ("audio", "v.wav"): ["p--v.mp4", "p.jpg--v.wav.mp4", "p.jpg--v.wav.2.mp4"],
        ("edit", "--yaw=5"): ["p--edit.png", "p.jpg--edit.png", "p.jpg--edit.2.png"],
        ("edit", "--random=2"): ["p--random-0-1.png", "p.jpg--random-0-1.png", "p.jpg--random-0.2-1.png"],
        ("crop", "-o=c"): ["c/p.png", "c/p.jpg.png", "c/p.jpg.2.png"],
    }
    for (command, last), names in commands.items():
        words = [*last.split("=")] if last.startswith("-o") else [last]
        for _ in range(2):  # the second time the same names
            for portrait, name in zip(twins, names, strict=True):
                made = run(command, str(portrait), *words, "--size", "64", "--work", "work")
                assert made.exit_code == 0, made.stderr
                assert made.stdout.split()[0] == name
                assert "was replaced" not in made.stderr
                assert (", so this one is" in made.stderr) == (name != names[0])


def test_a_moved_input_is_the_same(scene: Scene, here: Path, twins: list[Path]) -> None:
    edit = ["--yaw", "5", "--size", "64", "--work", "work"]
    assert run("edit", str(twins[0]), *edit).stdout.split() == ["p--edit.png"]
    (here / "moved").mkdir()
    twins[0].rename(here / "moved" / "p.png")
    assert run("edit", "moved/p.png", *edit).stdout.split() == ["p--edit.png"]


def test_a_default_name_does_not_replace_a_result_of_another_command(scene: Scene) -> None:
    spoken = run("audio", scene.portrait, scene.driver, "--size", "64")
    moved = run("reenact", scene.portrait, scene.driver, "--size", "64")
    assert (spoken.exit_code, moved.exit_code) == (0, 0), spoken.stderr + moved.stderr
    assert spoken.stdout.split() == ["portrait--driver.mp4"]
    assert moved.stdout.split() == ["portrait.png--driver.mp4.mp4"]
    assert "or of another command" in moved.stderr


def test_a_track_of_a_driver_without_sound_is_refused(scene: Scene) -> None:
    outcome = run("reenact", scene.portrait, scene.motion, "--track", "2", "--size", "64")
    assert outcome.exit_code == 3
    assert "has no sound, and --track 2" in outcome.stderr
