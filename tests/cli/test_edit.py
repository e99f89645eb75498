"""`facepipe edit`: flags, presets, sweeps, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

from facepipe.errors import UsageError
from facepipe.media.decode import decode_frames
from facepipe.media.image import read_image
from facepipe.media.probe import probe_video
from facepipe.motion.sliders import SLIDERS, Edit
from facepipe.requests.sweeps import as_video, read_sweep
from tests.pipeline.scene import Scene, run


def test_every_slider_is_a_flag_and_in_the_list() -> None:
    message = run("edit", "--help").stdout
    listed = run("edit", "--list").stdout
    for name in SLIDERS:
        flag = f"--{name.replace('_', '-')}"
        assert flag in message
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
    edit = as_video(Edit(values={"zoom": 2, "smile": 0.5}), None, None)
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
    ("arguments", "message"),
    [
        ((), "Missing argument 'SOURCE'"),
        (("x.png", "--yaw", "1", "--sweep", "yaw=0:1"), "given both as a slider and as a sweep"),
        (("x.png", "--sweep", "yaw=0:1", "-o", "x2.png"), "--sweep makes a video"),
        (("x.png", "--fps", "0", "-o", "x.mp4"), "--fps is '0'"),
        (("x.png", "--yaw", "nan"), "--yaw is nan"),
        (("x.png", "--codec", "h264", "--renderer", "clay"), "--renderer is 'clay'; expected one of "),
        (("x.png", "--size", "65"), "--size is 65; video needs an even number"),
        (("x.png", "--source-frame", "-1"), "--source-frame is '-1', expected best"),
    ],
)
def test_what_cannot_be_is_a_usage_error(arguments: tuple[str, ...], message: str) -> None:
    outcome = run("edit", *arguments)
    assert outcome.exit_code == 2
    assert message in outcome.stderr


def test_another_picture_lends_expression_and_pose(scene: Scene, tmp_path: Path) -> None:
    """Both, one of the two, or half of them; the video goes there from the face as it is."""
    face, out = tmp_path / "face.png", tmp_path / "out"
    scene.run("edit", scene.portrait, "--yaw", "20", "--mouth-open", "0.8", "--paste-back", "-o", face)
    out.mkdir()
    small = ("--size", "96")
    pictures = {}
    for name, flags in {
        "still": (),
        "both": ("--from-image", face),
        "pose": ("--from-image", face, "--only", "pose"),
        "expression": ("--from-image", face, "--only", "expression"),
        "half": ("--from-image", face, "--strength", "0.5"),
    }.items():
        scene.run("edit", scene.portrait, *flags, *small, "-o", out / f"{name}.png")
        pictures[name] = read_image(out / f"{name}.png").astype(int)
    away = {name: np.abs(picture - pictures["still"]).mean() for name, picture in pictures.items()}
    assert away["both"] > away["expression"] > 0.3
    assert away["both"] > away["half"] > 0.3
    assert np.abs(pictures["both"] - pictures["pose"]).mean() > 0.3
    scene.run("edit", scene.portrait, "--from-image", face, "--frames", "6", *small, "-o", out / "clip.mp4")
    frames = list(decode_frames(out / "clip.mp4"))
    assert len(frames) == 6
    assert np.abs(frames[0].astype(int) - pictures["still"]).mean() < 5
    assert np.abs(frames[-1].astype(int) - pictures["both"]).mean() < 5


def test_chance_is_the_seeds(scene: Scene, tmp_path: Path) -> None:
    """A picture a draw, the same bytes again, whatever the number; one labelled sheet shows the source and all."""
    small, sheet = ("--size", "64"), tmp_path / "sheet.png"
    outcome = scene.run("edit", scene.portrait, "--random", "3", *small, "-o", tmp_path / "a", "--sheet", sheet)
    samples = sorted((tmp_path / "a").glob("*.png"))
    assert [path.name for path in samples] == [f"portrait--random-0-{number}.png" for number in (1, 2, 3)]
    assert outcome.stdout.splitlines() == [*map(str, samples), str(sheet)]
    assert len({path.read_bytes() for path in samples}) == 3
    scene.run(
        "edit", scene.portrait, "--random", "2", "--seed", "0", *small, "-o", tmp_path / "b.png", "--force", "all"
    )
    assert (tmp_path / "b-2.png").read_bytes() == samples[1].read_bytes()
    scene.run("edit", scene.portrait, "--random", "1", "--seed", "1", *small, "-o", tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes() != samples[0].read_bytes()
    # Four tiles beside each other, each with a line of text below.
    assert read_image(sheet).shape[1] > 4 * 256
    assert json.loads((tmp_path / "sheet.png.json").read_text())["files"].keys() == {"sheet.png"}


def test_a_video_by_chance_goes_from_draw_to_draw(scene: Scene, tmp_path: Path) -> None:
    scene.run("edit", scene.portrait, "--random", "2", "--size", "64", "--frames", "9", "-o", tmp_path / "out.mp4")
    frames = list(decode_frames(tmp_path / "out.mp4"))
    assert len(frames) == 9
    scene.run("edit", scene.portrait, "--random", "1", "--size", "64", "-o", tmp_path / "one.png")
    first = read_image(tmp_path / "one.png").astype(int)
    assert int(np.argmin([np.abs(frame - first).mean() for frame in frames])) in (3, 4, 5)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--from-image", "portrait", "--random", "2"), "give only one of them"),
        (("--seed", "2"), "--seed needs --random"),
        (("--only", "pose"), "--only needs --from-image"),
        (("--strength", "0.5"), "--strength needs --from-image"),
        (("--from-image", "driver"), "use `facepipe reenact`"),
        (("--from-image", "none"), "no such file"),
    ],
)
def test_flags_that_do_not_go_together(scene: Scene, tmp_path: Path, flags: tuple[str, ...], message: str) -> None:
    places = {"portrait": str(scene.portrait), "driver": str(scene.driver), "none": str(tmp_path / "none.png")}
    words = [places.get(flag, flag) for flag in flags]
    outcome = run("edit", scene.portrait, *words, "-o", tmp_path / "x.png", "--work", tmp_path / "work")
    assert outcome.exit_code in (2, 3)
    assert message in outcome.stderr
