"""`facepipe edit`: flags, presets, sweeps, and what it refuses."""

import json
from pathlib import Path

import pytest

from facepipe.cli.edit import moving, read_sweep
from facepipe.errors import UsageError
from facepipe.media.image import read_image
from facepipe.media.probe import probe_video
from facepipe.motion.sliders import SLIDERS, Edit
from tests.pipeline.scene import Scene, run


def test_every_slider_is_a_flag_and_in_the_list() -> None:
    told = run("edit", "--help").stdout
    listed = run("edit", "--list").stdout
    for name in SLIDERS:
        flag = f"--{name.replace('_', '-')}"
        assert flag in told
        assert flag in listed
    assert "-60 to 60     degrees" in listed


def test_a_value_out_of_bounds_is_refused_with_them_before_any_work(scene: Scene, tmp_path: Path) -> None:
    outcome = run("edit", scene.portrait, "--yaw", "90", "--work", tmp_path / "work", "-o", tmp_path / "x.png")
    assert outcome.exit_code == 2
    assert "Slider yaw was set to 90, expected -60 to 60 degrees." in outcome.stderr
    assert not list(tmp_path.rglob("*.npz"))


def test_a_sweep_is_a_video_of_the_length_and_rate_asked_for(scene: Scene, tmp_path: Path) -> None:
    arguments = ("--sweep", "yaw=-20:20", "--frames", "8", "--fps", "30000/1001", "--size", "64")
    scene.run("edit", scene.portrait, *arguments, "-o", tmp_path / "out.mp4")
    info = probe_video(tmp_path / "out.mp4")
    assert (info.frame_count_estimate, str(info.fps), info.width) == (8, "30000/1001", 64)


def test_a_video_without_a_sweep_goes_from_rest_to_the_sliders() -> None:
    edit = moving(Edit(values={"zoom": 2, "smile": 0.5}), None, None)
    assert edit.values == {}
    assert edit.sweeps == {"zoom": (1, 2), "smile": (0, 0.5)}


def test_a_preset_gives_the_same_picture_and_sliders_win(scene: Scene, tmp_path: Path) -> None:
    preset, first, second, third = (tmp_path / name for name in ("p.json", "1.png", "2.png", "3.png"))
    sliders = ("--yaw", "12", "--smile", "0.5")
    scene.run("edit", scene.portrait, *sliders, "--save-preset", preset, "-o", first, "--size", "64")
    assert json.loads(preset.read_text())["sliders"] == {"yaw": 12, "smile": 0.5}
    scene.run("edit", scene.portrait, "--preset", preset, "-o", second, "--size", "64")
    assert first.read_bytes() == second.read_bytes()
    scene.run("edit", scene.portrait, "--preset", preset, "--yaw", "-12", "-o", third, "--size", "64")
    assert first.read_bytes() != third.read_bytes()


def test_a_preset_is_not_written_over_something_else(scene: Scene, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    outcome = run("edit", scene.portrait, "--yaw", "1", "--save-preset", notes, "-o", tmp_path / "x.png")
    assert outcome.exit_code == 2
    assert notes.read_text() == "mine"


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_pictures_come_in_the_kind_that_their_name_says(scene: Scene, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out.{suffix}"
    scene.run("edit", scene.portrait, "-o", out, "--size", "64")
    assert read_image(out).shape == (64, 64, 3)
    assert b"trainedAlgorithmicMedia" in out.read_bytes()


@pytest.mark.parametrize("text", ["yaw", "yaw=3", "yaw=a:b", "yaw=1:", "yaw=nan:1", "=1:2:3"])
def test_what_is_no_sweep_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--sweep is"):
        read_sweep(text)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "edit needs a SOURCE"),
        (("x.png", "--yaw", "1", "--sweep", "yaw=0:1"), "given as a slider and as a sweep"),
        (("x.png", "--sweep", "yaw=0:1", "-o", "x2.png"), "--sweep makes a video"),
        (("x.png", "--fps", "0", "-o", "x.mp4"), "--fps is '0'"),
        (("x.png", "--yaw", "nan"), "--yaw is nan"),
        (("x.png", "--codec", "h264", "--renderer", "clay"), "--renderer is 'clay'; expected one of mesh"),
        (("x.png", "--size", "65"), "--size is 65; video needs an even number"),
        (("x.png", "--source-frame", "-1"), "--source-frame is '-1', expected best"),
    ],
)
def test_what_cannot_be_is_a_usage_error(arguments: tuple[str, ...], told: str) -> None:
    outcome = run("edit", *arguments)
    assert outcome.exit_code == 2
    assert told in outcome.stderr
