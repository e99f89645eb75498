"""Building of data sets: from raw videos to clips and their list."""

import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepipe.dataset.listing import path_of, read_list
from facepipe.errors import InputError
from facepipe.face.detector import Detector
from facepipe.face.landmarker import Landmarker
from facepipe.face.model import load_face_model
from facepipe.face.spans import Span, cut_track
from facepipe.face.track import Track, load_track
from facepipe.face.tracking import Tracker
from facepipe.media.decode import decode_frames
from facepipe.media.image import read_image
from facepipe.media.probe import probe_video
from facepipe.motion.features import load_features
from facepipe.spaces import bfm
from facepipe.spaces.files import load_coefficients
from facepipe.weights import find
from tests.dataset.building import build
from tests.pipeline.official_weights import add_deep3d
from tests.pipeline.scene import Scene, ffmpeg, run

SMALL: dict[str, Any] = {"size_pixels": 64, "fps": Fraction(20)}


@pytest.fixture(scope="module")
def raw(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two intact videos and a damaged one."""
    folder = tmp_path_factory.mktemp("raw")
    (folder / "anna").mkdir()
    shutil.copy(scene.driver, folder / "anna" / "one.mp4")
    shutil.copy(scene.driver, folder / "id023#two.mp4")
    (folder / "broken.mp4").write_bytes(scene.driver.read_bytes()[:5000])
    return folder


@pytest.fixture(scope="module")
def dataset(raw: Path, scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("set")
    (error,) = build(raw, out, scene.work, **SMALL).errors
    assert "broken.mp4: is truncated" in str(error)
    return out


def test_the_list_describes_the_clips(dataset: Path) -> None:
    entries = read_list(dataset)
    assert [(entry.id, entry.person, entry.split) for entry in entries] == [
        ("anna#one", "anna", "train"), ("id023#two", "id023", "unseen"),
    ]  # fmt: skip
    assert read_list(dataset, "unseen") == entries[1:]
    entry = entries[0]
    info = probe_video(path_of(dataset, entry.id, "clip"))
    assert (info.width, info.height, str(info.fps), info.has_sound) == (64, 64, "20", True)
    motion = load_coefficients(path_of(dataset, entry.id, "coefficients"))
    assert entry.frames == entry.valid_frames == info.frame_count_estimate == len(motion)
    assert entry.source == "anna/one.mp4"
    assert entry.sound
    assert abs(len(load_features(path_of(dataset, entry.id, "features"))) - entry.frames) <= 2


def test_coefficients_and_track_are_in_pixels_of_the_clip(dataset: Path) -> None:
    model = load_face_model(find("face-model").path)
    for entry in read_list(dataset):
        motion = load_coefficients(path_of(dataset, entry.id, "coefficients"))
        track = load_track(path_of(dataset, entry.id, "track"))
        assert motion.picture_size == track.picture_size == (64, 64)
        projected = motion.pose(64).apply(model.shape(motion.identity, motion.expression))[..., :2]
        offset = (projected - track.track.points[..., :2]).mean((0, 1))
        assert np.abs(offset).max() < 0.1, "the fitted model is on the landmarks, not half a pixel beside them"


def test_the_track_is_on_the_face_of_the_clip(dataset: Path) -> None:
    """Tracking the clip's frames gives the landmarks that were cut from the raw video's track."""
    tracker = Tracker(Detector(find("detector").path), Landmarker(find("landmarker").path))
    entry = read_list(dataset)[0]
    again = tracker.track(decode_frames(path_of(dataset, entry.id, "clip"), frame_count=4))
    points = load_track(path_of(dataset, entry.id, "track")).track.points[:4]
    assert np.abs((again.points - points)[..., :2].mean((0, 1))).max() < 0.25


@pytest.mark.usefixtures("preloaded_workers")
def test_the_command_is_a_batch_and_a_second_run_does_nothing(
    dataset: Path, raw: Path, scene: Scene, tmp_path: Path
) -> None:
    argv = ("dataset", "build", raw, tmp_path / "set", "--size", "64", "--fps", "20", "--work", scene.work)
    outcome = run(*argv, "-j", "1")
    assert outcome.exit_code == 4, "the damaged one"
    assert "broken.mp4: is truncated" in outcome.stderr
    assert outcome.stdout.splitlines() == [str(tmp_path / "set" / "dataset.jsonl")]
    assert read_list(tmp_path / "set") == read_list(dataset)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for more, tried in ((), 0), (("--again", "-j", "1"), 1):
        outcome = run(*argv, "--json", *more)
        assert outcome.exit_code == 4, "permanent failures remain"
        assert (outcome.events[-1]["done"], outcome.events[-1]["made"]) == (2, 0)
        assert len([event for event in outcome.events if event["event"] == "failed"]) == tried
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_other_people_keep_the_cuts(dataset: Path, raw: Path, scene: Scene, tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("file,person\none.mp4,otto\nid023#two.mp4,otto\nbroken.mp4,otto\n", encoding="utf-8")
    assert dataset.exists(), "built before, in the same work folder"
    built = build(raw, tmp_path / "set", scene.work, people=table, **SMALL)
    assert built.made == [], "the same cuts of the same videos"
    assert {entry.person for entry in read_list(tmp_path / "set")} == {"otto"}
    assert len(built.errors) == 1


def test_a_person_missing_from_the_table_is_reported_before_any_work(raw: Path, scene: Scene, tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("file,person\none.mp4,otto\n", encoding="utf-8")
    outcome = run("dataset", "build", raw, tmp_path / "set", "--people", table, "--work", scene.work)
    assert outcome.exit_code == 3
    assert all(f"{name} is not in the table" in outcome.stderr for name in ("broken.mp4", "id023#two.mp4"))
    assert not (tmp_path / "set").exists()


def test_a_video_that_becomes_damaged_loses_its_clips(raw: Path, scene: Scene, tmp_path: Path) -> None:
    videos = tmp_path / "raw"
    shutil.copytree(raw / "anna", videos / "anna")
    build(videos, tmp_path / "set", scene.work, **SMALL)
    assert len(read_list(tmp_path / "set")) == 1
    shutil.copy(raw / "anna" / "one.mp4", videos / "ida.mp4")
    (videos / "anna" / "one.mp4").write_bytes(b"nothing")
    assert len(build(videos, tmp_path / "set", scene.work, **SMALL).errors) == 1
    assert [entry.id for entry in read_list(tmp_path / "set")] == ["ida"]


def test_statistics_and_sheet(dataset: Path) -> None:
    statistics = json.loads((dataset / "statistics.json").read_text(encoding="utf-8"))
    assert statistics["missing"] == 1
    assert statistics["all"]["clips"] == 2
    assert statistics["unseen"]["people"] == 1
    assert 0.2 < statistics["all"]["face_height_of_side"]["p50"] < 1
    assert read_image(dataset / "sheet.png").shape[1] > 2 * 128


def test_invalid_input_is_refused(raw: Path, tmp_path: Path) -> None:
    for argv, code, message in (
        ((raw / "anna" / "one.mp4", tmp_path), 3, "is not a folder"),
        ((tmp_path, tmp_path / "out"), 3, "holds no videos"),
        ((raw, tmp_path, "--fps", "0"), 2, "--fps is '0'"),
        ((raw, tmp_path, "--size", "65"), 2, "even number"),
    ):
        outcome = run("dataset", "build", *argv, "--work", tmp_path / "work")
        assert (outcome.exit_code, message in outcome.stderr) == (code, True), outcome.stderr
    with pytest.raises(InputError, match=r"holds no dataset\.jsonl"):
        read_list(tmp_path)


def test_cut_points_follow_pixels() -> None:
    points = np.zeros((3, 478, 3), np.float32)
    points[:, :, :2] = (9.5, 19.5)  # the corner between pixels 9 and 10
    points[:, :, 2] = 4
    track = Track(points, np.array([True, True, False]), np.ones(3, np.float32), sixty_eight=points[:, :68])
    cut = cut_track(track, Span(1, 3, left=10, top=20, side=32), size_pixels=64)
    assert np.allclose(cut.points[0], (-0.5, -0.5, 8)), "the corner of the first pixel"
    assert not cut.points[1].any(), "no face, no points"
    assert cut.valid.tolist() == [True, False]
    np.testing.assert_array_equal(cut.sixty_eight, cut.points[:, :68])


@pytest.fixture(scope="module")
def talk(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of two people side by side, 70 frames long, then a cut to one of them alone, 12 frames long."""
    folder = tmp_path_factory.mktemp("talk")
    twice = "[0]split=3[a][b][c];[b]hflip[f];[a][f]hstack,fps=25,setsar=1[two];[c]fps=25,pad=iw*2:ih:iw/2,setsar=1"
    cut = ",trim=end_frame=12[one];[two]trim=end_frame=70[both];[both][one]concat=n=2:v=1"
    ffmpeg("-stream_loop", "4", "-i", scene.driver, "-filter_complex", twice + cut, "-an", folder / "talk.mp4")
    return folder


@pytest.mark.slow
def test_voxceleb_rule_makes_a_clip_of_each_face(talk: Path, scene: Scene, tmp_path: Path) -> None:
    assert not build(talk, tmp_path, scene.work, rule="voxceleb", size_pixels=64).errors
    entries = read_list(tmp_path)
    assert [entry.person for entry in entries] == ["talk", "talk"]
    assert {entry.id.split("#", 2)[2] for entry in entries} == {"000000#000070"}
    assert abs(entries[0].box[0] - entries[1].box[0]) > 100, "one is on the left, one on the right"
    assert [entry.valid_frames for entry in entries] == [70, 70]
    statistics = json.loads((tmp_path / "statistics.json").read_text(encoding="utf-8"))
    assert statistics["rejected"] == {"too short": 1}
    assert build(talk, tmp_path, scene.work, rule="voxceleb", size_pixels=64).made == []


def test_annotations_select_face_and_frames(talk: Path, scene: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "txt" / "id00017" / "talk"
    folder.mkdir(parents=True)
    rows = "".join(f"{frame:06} 0.5 0 0.5 1\n" for frame in range(3, 69))
    (folder / "00001.txt").write_text(f"Identity : id00017\n\nFRAME X Y W H\n{rows}", encoding="utf-8")
    settings: dict[str, Any] = {"rule": "voxceleb", "size_pixels": 64}
    assert not build(talk, tmp_path / "set", scene.work, boxes=tmp_path / "txt", **settings).errors
    (entry,) = read_list(tmp_path / "set")
    assert (entry.id, entry.person) == ("id00017#talk#00001#000003#000069", "id00017")
    assert entry.box[0] > 300, "the face on the right"
    with pytest.raises(InputError, match=r"talk\.mp4: .* has no annotation of it"):
        build(talk, tmp_path / "set", scene.work, boxes=tmp_path / "set" / "clips", **settings)


def test_a_failed_clip_does_not_affect_the_others(talk: Path, scene: Scene, tmp_path: Path) -> None:
    """A foreign file has the name of the first clip."""
    settings: dict[str, Any] = {"rule": "voxceleb", "size_pixels": 64}
    (tmp_path / "clips").mkdir()
    theirs = tmp_path / "clips" / "talk#face0#000000#000070.mp4"
    theirs.write_bytes(b"mine")
    (error,) = build(talk, tmp_path, scene.work, **settings).errors
    assert "was not written by facepipe" in str(error)
    assert [entry.id for entry in read_list(tmp_path)] == ["talk#face1#000000#000070"]
    assert theirs.read_bytes() == b"mine"
    assert not build(talk, tmp_path, scene.work, overwrite=True, **settings).errors
    assert len(read_list(tmp_path)) == 2


def test_the_union_rule_cuts_closer(raw: Path, scene: Scene, dataset: Path, tmp_path: Path) -> None:
    assert not build(raw / "anna", tmp_path, scene.work, rule="union", **SMALL).errors
    assert read_list(tmp_path)[0].box[2] < read_list(dataset)[0].box[2]


def test_clips_also_get_bfm_coefficients(
    raw: Path, scene: Scene, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From raw videos to the published layout, with a random network of the published form."""
    pytest.importorskip("lmdb")
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    add_deep3d(tmp_path)
    assert not build(raw / "anna", tmp_path / "set", scene.work, space="bfm", **SMALL).errors
    (entry,) = read_list(tmp_path / "set")
    found = load_coefficients(path_of(tmp_path / "set", entry.id, "bfm"), space=bfm.SPACE)
    assert (len(found), entry.bfm) == (entry.frames, True)
    outcome = run("dataset", "export", tmp_path / "set", tmp_path / "out", "--lmdb", "--work", scene.work)
    assert outcome.exit_code == 0, outcome.stderr
    assert (tmp_path / "out" / "train_list.txt").read_text(encoding="utf-8") == f"{entry.id}\n"
