"""The main job: every kind of source and driver, what happens without a face, and where results go."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facepipe.media.decode import decode_frames
from facepipe.media.image import read_image
from facepipe.media.probe import probe_video
from facepipe.spaces.files import load_coefficients
from tests.pipeline.scene import ROOT, Scene, rewritten, run


def frames_of(path: Path) -> list[np.ndarray]:
    return list(decode_frames(path))


@pytest.mark.parametrize("source", ["portrait", "driver"])
@pytest.mark.parametrize("driver", ["driver", "motion"])
def test_pictures_and_clips_are_moved_by_clips_and_motion_files(
    scene: Scene, tmp_path: Path, source: str, driver: str
) -> None:
    out = tmp_path / "out.mp4"
    scene.run("reenact", getattr(scene, source), getattr(scene, driver), "-o", out, "--size", "96")
    info = probe_video(out)
    assert (info.width, info.height, info.frame_count_estimate) == (96, 96, 20)
    assert info.fps == 25
    assert info.has_sound == (driver == "driver")
    frames = frames_of(out)
    assert max(np.abs(frame.astype(int) - frames[0]).mean() for frame in frames) > 1


def test_a_picture_drives_as_it_stands_and_gives_a_picture(scene: Scene, tmp_path: Path) -> None:
    turned, out = tmp_path / "turned.png", tmp_path / "out.png"
    scene.run("edit", scene.portrait, "--yaw", "20", "--paste-back", "-o", turned)
    scene.run("reenact", scene.portrait, turned, "-o", out, "--size", "96")
    still = tmp_path / "still.png"
    scene.run("edit", scene.portrait, "-o", still, "--size", "96")
    assert read_image(out).shape == (96, 96, 3)
    assert np.abs(read_image(out).astype(int) - read_image(still)).mean() > 3


def test_the_chosen_frame_of_a_clip_is_the_portrait(scene: Scene, tmp_path: Path) -> None:
    for frame in ("3", "15"):
        scene.run("edit", scene.driver, "--source-frame", frame, "--paste-back", "-o", tmp_path / f"{frame}.png")
    pictures = {frame: read_image(tmp_path / f"{frame}.png").astype(int) for frame in ("3", "15")}
    frames = frames_of(scene.driver)
    for frame, picture in pictures.items():
        others = [np.abs(picture - other).mean() for other in frames]
        assert int(np.argmin(others)) == int(frame)
    outcome = run("edit", scene.driver, "--source-frame", "99", "-o", tmp_path / "x.png", "--work", scene.work)
    assert outcome.exit_code == 2
    assert "has 20 frames, so frame 99 does not exist" in outcome.stderr


@pytest.mark.parametrize(("driver", "panels"), [("driver", 3), ("portrait", 3), ("motion", 2)])
def test_a_grid_shows_what_there_is(scene: Scene, tmp_path: Path, driver: str, panels: int) -> None:
    out = tmp_path / ("out.png" if driver == "portrait" else "out.mp4")
    scene.run("reenact", scene.portrait, getattr(scene, driver), "-o", out, "--size", "96", "--grid")
    height, width = (read_image(out) if out.suffix == ".png" else frames_of(out)[0]).shape[:2]
    assert (width, height) == (panels * 96, 96)


@pytest.fixture(scope="module")
def gappy(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The driver, with nobody to be seen in frames 6 to 11."""
    path = tmp_path_factory.mktemp("gappy") / "gappy.mp4"
    return rewritten(scene.driver, path, lambda number, frame: frame // 8 * 0 + 90 if 6 <= number < 12 else frame)


@pytest.mark.parametrize(("policy", "count"), [("hold", 20), ("source", 20), ("cut", 14)])
def test_frames_without_a_face_are_held_filled_or_cut(
    scene: Scene, gappy: Path, tmp_path: Path, policy: str, count: int
) -> None:
    out = tmp_path / "out.mp4"
    scene.run("reenact", scene.portrait, gappy, "-o", out, "--size", "96", "--no-face", policy, "--grid")
    assert probe_video(out).frame_count_estimate == count
    facts = {stage["stage"]: stage["facts"] for stage in json.loads(Path(f"{out}.json").read_text())["stages"]}
    assert facts["crop"]["frames_without_face"] in (0, 6)
    assert facts["coefficients"]["frames_without_face"] in (0, 6)
    # Sound goes with the frames it belongs to.
    listing = subprocess.run([*sound_listing(out)], capture_output=True, check=True).stdout
    assert abs(len(listing) / 4 / 48000 - count / 25) < 0.05
    panel = [frame[:, 96:192].mean() for frame in frames_of(out)]
    assert (max(panel) - min(panel) > 20) == (policy != "cut"), "the grey frames are shown unless they were cut"


def sound_listing(path: Path) -> list[str]:
    from facepipe.media.ffmpeg import find_ffmpeg

    return [find_ffmpeg(), "-v", "error", "-i", str(path), "-f", "f32le", "-ac", "1", "-ar", "48000", "-"]


def test_no_face_fail_says_when(scene: Scene, gappy: Path, tmp_path: Path) -> None:
    arguments = ("reenact", scene.portrait, gappy, "-o", tmp_path / "x.mp4", "--work", scene.work)
    outcome = run(*arguments, "--no-face", "fail")
    assert outcome.exit_code == 4
    assert "6 of 20 frames show no face, the first at 0.24 s" in outcome.stderr


def test_a_sheet_and_a_sidecar_lie_beside_the_result(scene: Scene, tmp_path: Path) -> None:
    out, sheet = tmp_path / "out.mp4", tmp_path / "sheets" / "sheet.png"
    sheet.parent.mkdir()
    outcome = scene.run("reenact", scene.portrait, scene.motion, "-o", out, "--sheet", sheet)
    assert outcome.stdout.split() == [str(out), str(sheet)]
    assert read_image(sheet).shape[1] > 500
    content = json.loads(Path(f"{out}.json").read_text())
    assert set(content["files"]) == {"out.mp4", "sheets/sheet.png"}
    assert [stage["stage"] for stage in content["stages"]] == ["crop", "coefficients", "render", "mux"]
    assert content["inputs"]["driver"]["kind"] == "motion"


def test_nobody_elses_file_is_replaced(scene: Scene, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    arguments = ("edit", scene.portrait, "--size", "96", "-o", out, "--work", scene.work)
    out.write_bytes(b"mine")
    outcome = run(*arguments)
    assert outcome.exit_code == 3
    assert "was not written by facepipe" in outcome.stderr
    assert out.read_bytes() == b"mine"
    assert run(*arguments, "--overwrite").exit_code == 0
    assert run(*arguments, "--yaw", "9").exit_code == 0, "our own is replaced without a word"
    out.write_bytes(b"mine again")
    assert run(*arguments).exit_code == 3
    outcome = run("edit", scene.portrait, "-o", scene.portrait, "--overwrite", "--work", scene.work)
    assert outcome.exit_code == 2
    assert "would replace the input" in outcome.stderr


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("out.png", "a picture, but the motion has 20 frames"),
        ("out.gif", "has no known suffix"),
        ("out", "has no known suffix"),
    ],
)
def test_a_result_that_cannot_be_is_refused(scene: Scene, tmp_path: Path, out: str, message: str) -> None:
    outcome = run("reenact", scene.portrait, scene.motion, "-o", tmp_path / out, "--work", scene.work)
    assert outcome.exit_code == 2
    assert message in outcome.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_plan_makes_nothing_and_guesses_well(scene: Scene, tmp_path: Path) -> None:
    arguments = (scene.portrait, scene.driver, "-o", tmp_path / "out.mp4", "--work", tmp_path / "work")
    planned = run("plan", *arguments, "--json")
    assert planned.exit_code == 0
    assert list(tmp_path.iterdir()) == []
    reasons = {event["label"]: event["reason"] for event in planned.events if event["event"] == "plan"}
    assert reasons["crop driver"] == "new"
    assert reasons["mux"] == "waits for render 1"
    (guess,) = [event for event in planned.events if event["event"] == "estimate"]
    made = run("reenact", *arguments)
    assert made.exit_code == 0
    files = [path for path in (tmp_path / "work").rglob("*") if path.is_file()]
    assert guess["frames"] == 20
    assert 1 / 3 < guess["work_bytes"] / sum(path.stat().st_size for path in files) < 3
    assert 1 / 3 < guess["result_bytes"] / (tmp_path / "out.mp4").stat().st_size < 3
    assert "0 of work files" not in run("plan", *arguments).stderr


def test_a_second_run_makes_nothing_and_loads_nothing_heavy(scene: Scene, tmp_path: Path) -> None:
    arguments = ("reenact", scene.portrait, scene.driver, "-o", tmp_path / "out.mp4", "--work", scene.work)
    assert run(*arguments).exit_code == 0
    heavy = "torch", "numba", "scipy", "cv2", "skimage"
    code = (
        "import sys\nfrom facepipe.cli import main\ntry:\n    main()\nfinally:\n"
        f"    print([name for name in {heavy!r} if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, *map(str, arguments), "--json"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    summary = json.loads(lines[-2])
    assert (summary["event"], summary["made"], summary["exit_code"]) == ("summary", 0, 0)
    assert lines[-1] == "[]"


def test_the_face_of_a_motion_file_is_not_needed(scene: Scene, tmp_path: Path) -> None:
    motion = load_coefficients(scene.motion)
    assert not motion.identity.any()
    scene.run("reenact", scene.portrait, scene.motion, "-o", tmp_path / "out.mp4", "--size", "96", "--only", "pose")
