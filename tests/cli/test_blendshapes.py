"""`facepipe blendshapes`, and takes as drivers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from facepipe.media.probe import probe_video
from facepipe.spaces import SPACES
from facepipe.spaces.arkit52.coefficients import UnitCoefficients
from facepipe.spaces.arkit52.live_link import read_take
from facepipe.spaces.files import load_coefficients, read_header
from tests.media.sounds import write_voice
from tests.pipeline.scene import Scene, run


def units_of(path: Path) -> UnitCoefficients:
    found = load_coefficients(path, space=SPACES["arkit52"])
    assert isinstance(found, UnitCoefficients)
    return found


@pytest.fixture
def take(scene: Scene, tmp_path: Path) -> Path:
    scene.run("blendshapes", scene.driver, "-o", tmp_path / "take.csv")
    return tmp_path / "take.csv"


def test_both_forms_of_a_clip_have_the_same_weights(scene: Scene, tmp_path: Path, take: Path) -> None:
    scene.run("blendshapes", scene.driver, "-o", tmp_path / "take.npz")
    same = scene.run("coefficients", scene.driver, "--space", "arkit52", "-o", tmp_path / "other.npz", "--json")
    assert not any("crop" in label or "fit" in label for label in same.made()), "the stages are those of blendshapes"
    units, read = units_of(tmp_path / "take.npz"), read_take(take).coefficients
    assert len(units) == len(read) == 20
    np.testing.assert_allclose(read.weights, units.weights, atol=1e-5)
    np.testing.assert_allclose(read.angles, units.angles, atol=1e-5)
    assert (tmp_path / "take.npz").read_bytes() == (tmp_path / "other.npz").read_bytes()


def test_the_sidecar_names_command_stages_and_weights(scene: Scene, tmp_path: Path, take: Path) -> None:
    content = json.loads((tmp_path / "take.csv.json").read_text())
    assert [stage["stage"] for stage in content["stages"]] == ["crop", "coefficients", "blendshapes"]
    assert {"face-model", "face-units", "detector", "landmarker"} == set(content["weights"])
    explained = run("explain", take)
    assert explained.exit_code == 0, explained.stderr
    assert "facepipe blendshapes" in explained.stdout
    again = scene.run("blendshapes", scene.driver, "-o", take, "--json")
    assert again.made() == []


def test_motion_files_takes_pictures_and_sound(scene: Scene, tmp_path: Path, take: Path) -> None:
    write_voice(tmp_path / "voice.wav", 1.0)
    for name, driver, frames in (
        ("motion", scene.motion, 20),
        ("again", take, 20),
        ("picture", scene.portrait, 1),
        ("voice", tmp_path / "voice.wav", 25),
    ):
        out = tmp_path / f"{name}.npz"
        scene.run("blendshapes", driver, "-o", out)
        assert (len(units_of(out)), read_header(out)["space"]) == (frames, "arkit52"), name
    # A take of less than a second has lost its rate; weights and angles are the same.
    np.testing.assert_allclose(
        units_of(tmp_path / "again.npz").weights, read_take(take).coefficients.weights, atol=1e-6
    )
    assert np.ptp(units_of(tmp_path / "voice.npz").weights, axis=0).max() > 0.02


def test_a_seed_gives_another_take_of_a_voice(scene: Scene, tmp_path: Path) -> None:
    write_voice(tmp_path / "voice.wav", 1.0)
    for seed in (1, 2):
        scene.run(
            "blendshapes", tmp_path / "voice.wav", "-o", tmp_path / f"{seed}.csv", "--seed", str(seed), "--fps", "30"
        )
    one, two = (read_take(tmp_path / f"{seed}.csv").coefficients for seed in (1, 2))
    assert len(one) == len(two) == 30
    assert np.abs(one.weights - two.weights).max() > 0.001


def test_a_folder_becomes_a_folder_and_one_bad_item_costs_one_item(scene: Scene, tmp_path: Path, take: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(scene.driver, folder / "deep" / "clip.mp4")
    shutil.copy(scene.motion, folder / "motion.npz")
    shutil.copy(take, folder / "take.csv")
    (folder / "table.csv").write_text("a,b\n1,2\n")
    (folder / "notes.txt").write_text("not a medium")
    outcome = run("blendshapes", folder, "-o", out, "--work", scene.work)
    assert outcome.exit_code == 4
    assert {path.relative_to(out).as_posix() for path in out.rglob("*.csv")} == {
        "deep/clip.csv",
        "motion.csv",
        "take.csv",
    }
    assert "1 of 4 items failed" in outcome.stderr
    assert "is not a take of Live Link Face: it begins with a, b" in outcome.stderr


def test_a_take_drives_other_spaces(scene: Scene, tmp_path: Path, take: Path) -> None:
    out, moved = tmp_path / "out.mp4", tmp_path / "moved.npz"
    scene.run("reenact", scene.portrait, take, "-o", out, "--size", "64", "--renderer", "mesh")
    assert probe_video(out).frame_count_estimate == 20
    stages = [stage["stage"] for stage in json.loads((tmp_path / "out.mp4.json").read_text())["stages"]]
    assert "take" in stages
    scene.run("motion", scene.portrait, take, "-o", moved, "--space", "linear478")
    angles = load_coefficients(moved).angles
    np.testing.assert_allclose(np.diff(angles, axis=0), np.diff(read_take(take).coefficients.angles, axis=0), atol=1e-5)
    scene.run(
        "motion", scene.portrait, take, "-o", tmp_path / "units.npz", "--space", "arkit52", "--motion", "absolute"
    )
    np.testing.assert_allclose(
        units_of(tmp_path / "units.npz").weights, read_take(take).coefficients.weights, atol=1e-5
    )


def test_a_motion_file_of_this_space_drives_others_and_others_drive_this(scene: Scene, tmp_path: Path) -> None:
    units = tmp_path / "units.npz"
    scene.run("coefficients", scene.driver, "--space", "arkit52", "-o", units)
    scene.run("motion", scene.portrait, units, "-o", tmp_path / "a.npz", "--space", "linear478")
    scene.run("motion", scene.portrait, scene.driver, "-o", tmp_path / "b.npz", "--space", "linear478")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    scene.run("motion", scene.portrait, scene.motion, "-o", tmp_path / "c.npz", "--space", "arkit52")
    assert len(units_of(tmp_path / "c.npz")) == 20


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("{driver}", "-o", "{tmp}/out.mp4"), 2, "use a name ending in .csv or .npz, or a folder"),
        (("{tmp}/none.mp4", "-o", "{tmp}/out.csv"), 3, "no such file"),
        (("{tmp}/bad.csv", "-o", "{tmp}/out.csv"), 3, "is not a take of Live Link Face"),
        (("{tmp}", "-o", "{tmp}/out"), 3, "is not a take of Live Link Face"),
        (("{driver}", "-o", "{tmp}/out.csv", "--smoothing", "much"), 2, "smoothing"),
    ],
)
def test_what_is_refused(scene: Scene, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    (tmp_path / "bad.csv").write_text("a,b\n")
    places = {"driver": scene.driver, "tmp": tmp_path}
    outcome = run("blendshapes", *(one.format(**places) for one in arguments), "--work", scene.work)
    assert outcome.exit_code == code, outcome.stderr
    assert message in outcome.stderr
    assert not (tmp_path / "out.csv").exists()
    assert "Traceback" not in outcome.stderr


def test_a_take_is_no_source_and_no_motion_to_render(scene: Scene, tmp_path: Path, take: Path) -> None:
    refused = run("reenact", take, scene.driver, "-o", tmp_path / "out.mp4", "--work", scene.work)
    assert refused.exit_code == 3
    assert "which has no pixels" in refused.stderr
    refused = run("render", scene.portrait, take, "-o", tmp_path / "out.mp4", "--work", scene.work)
    assert refused.exit_code == 3
    assert "is a take, expected a motion file" in refused.stderr


def test_a_dry_run_makes_nothing(scene: Scene, tmp_path: Path) -> None:
    outcome = run("blendshapes", scene.driver, "-o", tmp_path / "t.csv", "--work", tmp_path / "work", "--dry-run")
    assert outcome.exit_code == 0, outcome.stderr
    assert [line for line in outcome.stderr.splitlines() if "blendshapes" in line]
    assert not (tmp_path / "t.csv").exists()
    assert not (tmp_path / "work").exists()


def test_rows_of_a_batch(scene: Scene, tmp_path: Path, take: Path) -> None:
    rows = [
        {"command": "blendshapes", "driver": str(scene.driver), "output": str(tmp_path / "row.csv")},
        {"command": "blendshapes", "driver": str(take), "output": str(tmp_path / "row.npz")},
    ]
    jobs = tmp_path / "jobs.jsonl"
    jobs.write_text("\n".join(json.dumps(row) for row in rows))
    outcome = run("batch", jobs, "--work", scene.work, "--jobs", "1")
    assert outcome.exit_code == 0, outcome.stderr
    assert len(read_take(tmp_path / "row.csv").coefficients) == 20
    assert len(units_of(tmp_path / "row.npz")) == 20
