"""Single stages on files and folders."""

import json
import shutil
from pathlib import Path

import pytest

from facepipe.errors import UsageError
from facepipe.face.track import load_track
from facepipe.media.probe import probe_video
from facepipe.pipeline.items import find_items, is_medium
from facepipe.spaces.files import read_header
from tests.media.sounds import write_voice
from tests.pipeline.scene import Scene, ffmpeg, run


def names(folder: Path) -> set[str]:
    """The files below a folder, less the sidecars."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in files if not name.endswith(".json")}


@pytest.fixture
def clips(scene: Scene, tmp_path: Path) -> Path:
    """A folder with good clips, two of one stem, a picture, and things that are no media."""
    folder = tmp_path / "clips"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(scene.driver, folder / "x.mp4")
    ffmpeg("-i", scene.driver, "-frames:v", "5", "-c:v", "libx264", folder / "x.mov")
    shutil.copy(scene.driver, folder / "deep" / "y.mp4")
    shutil.copy(scene.portrait, folder / "deep" / "p.png")
    (folder / "notes.txt").write_text("no medium")
    (folder / ".hidden.mp4").write_text("not looked at")
    return folder


def test_a_folder_becomes_a_folder_and_a_rerun_does_nothing(scene: Scene, clips: Path, tmp_path: Path) -> None:
    crops, rows = tmp_path / "crops", tmp_path / "coefficients"
    first = scene.run("crop", clips, "-o", crops, "--size", "64")
    stems = {"x.mp4": "mp4", "x.mov": "mp4", "deep/y": "mp4", "deep/p": "png"}
    expected = {f"{stem}.{kind}" for stem, kind in stems.items()} | {f"{stem}.track.npz" for stem in stems}
    assert names(crops) == expected
    assert {str(Path(line).relative_to(crops)) for line in first.stdout.split()} == expected
    assert probe_video(crops / "x.mov.mp4").frame_count_estimate == 5
    assert len(load_track(crops / "x.mp4.track.npz").track.valid) == 20
    again = scene.run("crop", clips, "-o", crops, "--size", "64", "--json")
    assert again.made() == []
    assert not any(event["changed"] for event in again.events if event["event"] == "result")
    # Tracks stand for the crops beside them.
    scene.run("coefficients", crops, "-o", rows)
    assert names(rows) == {f"{stem}.npz" for stem in stems}
    assert scene.run("coefficients", crops, "-o", rows, "--json").made() == []


def test_one_bad_item_costs_one_item(scene: Scene, clips: Path, tmp_path: Path) -> None:
    (clips / "broken.mp4").write_text("no video")
    (clips / "empty.png").touch()
    ffmpeg("-f", "lavfi", "-i", "color=gray:s=96x96:d=0.2:r=25", "-c:v", "libx264", clips / "nobody.mp4")
    outcome = run("coefficients", clips, "-o", tmp_path / "rows", "--work", scene.work)
    assert outcome.exit_code == 4
    assert names(tmp_path / "rows") == {"x.mp4.npz", "x.mov.npz", "deep/y.npz", "deep/p.npz"}
    assert len(outcome.stdout.split()) == 4
    table = outcome.stderr.split("facepipe: ")[1].splitlines()
    assert table[0] == "3 of 7 items failed; the others are done and will be skipped if you run this command again."
    assert [line.split()[:2] for line in table[1:]] == [
        ["input", str(clips / "broken.mp4")],
        ["input", str(clips / "empty.png")],
        ["no-face", str(clips / "nobody.mp4")],
    ]
    assert outcome.stderr.count("is empty (0 bytes)") == 2, "as it happens, and in the table"
    events = run("coefficients", clips, "-o", tmp_path / "rows", "--work", scene.work, "--json").events
    assert [event["failure_class"] for event in events if event["event"] == "failed"] == ["input", "input", "no-face"]
    assert (events[-1]["exit_code"], events[-1]["failed"]) == (4, 3)


def test_a_single_file_fails_as_itself(tmp_path: Path) -> None:
    outcome = run("crop", tmp_path / "none.mp4", "-o", tmp_path / "out.mp4", "--work", tmp_path / "work")
    assert outcome.exit_code == 3
    assert "no such file" in outcome.stderr


def test_a_picture_is_no_motion_file(scene: Scene, tmp_path: Path) -> None:
    outcome = run("render", scene.portrait, scene.portrait, "-o", tmp_path / "out.mp4", "--work", scene.work)
    assert outcome.exit_code == 3
    assert "is a picture, expected a motion file" in outcome.stderr
    assert "pickle" not in outcome.stderr


def test_coefficients_drive(scene: Scene, tmp_path: Path) -> None:
    rows, out = tmp_path / "rows.npz", tmp_path / "out.mp4"
    scene.run("coefficients", scene.driver, "-o", rows)
    assert (read_header(rows)["space"], read_header(rows)["frame_count"]) == ("linear478", 20)
    scene.run("reenact", scene.portrait, rows, "-o", out, "--size", "64")
    assert probe_video(out).frame_count_estimate == 20


def test_the_stages_one_by_one_are_the_whole_job(scene: Scene, tmp_path: Path) -> None:
    whole, retargeted, rendered, joined = (
        tmp_path / name for name in ("whole.mp4", "moved.npz", "drawn.mp4", "joined.mp4")
    )
    scene.run("reenact", scene.portrait, scene.driver, "-o", whole, "--size", "64")
    scene.run("motion", scene.portrait, scene.driver, "-o", retargeted)
    scene.run("render", scene.portrait, retargeted, "-o", rendered, "--size", "64")
    scene.run("mux", rendered, "--sound", scene.driver, "-o", joined)
    assert joined.read_bytes() == whole.read_bytes()


def test_segments_are_joined_in_order_and_must_agree(scene: Scene, tmp_path: Path) -> None:
    for name, size in (("a", "64"), ("b", "64"), ("c", "96")):
        scene.run("render", scene.portrait, scene.motion, "-o", tmp_path / f"{name}.mp4", "--size", size)
    scene.run("mux", tmp_path / "a.mp4", tmp_path / "b.mp4", "-o", tmp_path / "joined.mp4")
    assert probe_video(tmp_path / "joined.mp4").frame_count_estimate == 40
    scene.run("mux", scene.driver, scene.driver, "-o", tmp_path / "silent.mp4")
    info = probe_video(tmp_path / "silent.mp4")
    assert (info.frame_count_estimate, info.has_sound) == (40, False), "what sound they have goes"
    outcome = run("mux", tmp_path / "a.mp4", tmp_path / "c.mp4", "-o", tmp_path / "x.mp4", "--work", scene.work)
    assert outcome.exit_code == 3
    assert "width is 96, but" in outcome.stderr


def test_sound_is_put_back_packet_for_packet(scene: Scene, tmp_path: Path) -> None:
    write_voice(tmp_path / "v.m4a", 0.8, "-c:a", "aac")
    scene.run("mux", scene.driver, "--sound", tmp_path / "v.m4a", "-o", tmp_path / "out.mp4")
    for name in ("v.m4a", "out.mp4"):
        copied = ("-i", tmp_path / name, "-map", "0:a", "-c", "copy")
        ffmpeg(*copied, "-f", "hash", tmp_path / f"{name}.hash")
    assert (tmp_path / "v.m4a.hash").read_text() == (tmp_path / "out.mp4.hash").read_text()


def test_a_dry_run_writes_nothing(clips: Path, tmp_path: Path) -> None:
    outcome = run("crop", clips, "-o", tmp_path / "crops", "--dry-run", "--work", tmp_path / "work")
    assert outcome.exit_code == 0
    assert "to make: 4, to keep: 0" in outcome.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"clips"}


def test_results_keep_out_of_the_inputs_way(scene: Scene, clips: Path) -> None:
    outcome = run("crop", clips / "x.mp4", "-o", clips, "--work", scene.work)
    assert outcome.exit_code == 2
    assert "would replace the input" in outcome.stderr
    assert (clips / "x.mp4").read_bytes() == scene.driver.read_bytes()


def test_a_results_folder_within_the_inputs_is_no_input(clips: Path) -> None:
    out = clips / "deep"
    assert {item.path.name for item in find_items([clips], out, is_medium, kinds="media")} == {"x.mp4", "x.mov"}


def test_results_of_several_inputs_need_a_folder(scene: Scene, clips: Path, tmp_path: Path) -> None:
    """A name of a file is refused, but a folder that has such a name is used."""
    for inputs, what in (((clips,), f"the folder {clips}"), ((scene.portrait, scene.driver), "2 inputs")):
        outcome = run("crop", *inputs, "-o", tmp_path / "all.mp4", "--work", scene.work)
        assert outcome.exit_code == 2
        assert f"the results of {what} need a folder" in " ".join(outcome.stderr.split())
        assert not (tmp_path / "all.mp4").exists()
    (tmp_path / "all.mp4").mkdir()
    assert len(find_items([clips], tmp_path / "all.mp4", is_medium, kinds="media")) == 4


def test_items_that_would_meet_are_refused(tmp_path: Path) -> None:
    for name in ("a/x.mp4", "b/x.mp4"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match="would all have the same name in "):
        find_items([tmp_path / "a", tmp_path / "b"], tmp_path / "out", is_medium, kinds="media")


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    outcome = run("crop", tmp_path / "in", "-o", tmp_path / "out", "--work", tmp_path / "work")
    assert outcome.exit_code == 3
    assert "holds no pictures or videos" in outcome.stderr


def test_the_sidecar_of_a_step_names_its_files(scene: Scene, tmp_path: Path) -> None:
    scene.run("crop", scene.driver, "-o", tmp_path / "face.mp4", "--size", "64")
    content = json.loads((tmp_path / "face.mp4.json").read_text())
    assert set(content["files"]) == {"face.mp4", "face.track.npz"}
    assert [stage["stage"] for stage in content["stages"]] == ["crop"]
