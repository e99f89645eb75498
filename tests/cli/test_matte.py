"""`facepipe matte`, its rows in a batch, and its names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from facepipe.media.image import probe_image, read_image, write_image
from facepipe.media.probe import probe_video
from tests.pipeline.scene import Scene, run


def test_files_and_folders_become_mattes_and_nobody_costs_one_item(scene: Scene, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy(scene.portrait, folder / "a.png")
    write_image(folder / "nobody.png", np.full((80, 80, 3), 120, np.uint8))
    outcome = run("matte", folder, scene.driver, "-o", tmp_path / "out", "--work", scene.work)
    assert outcome.exit_code == 4
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.suffix != ".json") == [
        "a.png",
        "driver.mp4",
    ]
    assert "no person was found" in outcome.stderr
    assert read_image(tmp_path / "out/a.png").shape == (300, 320, 3)
    assert probe_video(tmp_path / "out/driver.mp4").frame_count_estimate == 20
    content = json.loads((tmp_path / "out/a.png.json").read_text())
    assert [stage["stage"] for stage in content["stages"]] == ["matte"]
    assert set(content["weights"]) == {"matting"}


def test_with_crop_the_square_around_the_face_is_used(scene: Scene, tmp_path: Path) -> None:
    scene.run("matte", scene.portrait, "-o", tmp_path / "a.png", "--crop", "--size", "64", "--alpha")
    info = probe_image(tmp_path / "a.png")
    assert (info.width, info.height, info.mode) == (64, 64, "RGBA")
    content = json.loads((tmp_path / "a.png.json").read_text())
    assert [stage["stage"] for stage in content["stages"]] == ["crop", "matte"]


def test_the_suffix_must_fit_the_result(scene: Scene, tmp_path: Path) -> None:
    outcome = run("matte", scene.driver, "-o", tmp_path / "a.mp4", "--alpha", "--work", scene.work)
    assert outcome.exit_code == 2
    assert "is a .webm file" in outcome.stderr
    assert not (tmp_path / "a.mp4").exists()


def test_options_without_effect_are_refused(tmp_path: Path) -> None:
    for given, message in (
        (("--size", "64", "--face", "left"), "--size and --face are given, but the matte is that of whole frames"),
        (("--no-face", "hold"), "--no-face is given, but the matte is that of whole frames; add --crop"),
        (("--crop", "--quality", "50"), "--quality is given, but mattes have one quality; add --alpha"),
    ):
        outcome = run("matte", "a.png", "-o", tmp_path / "x.png", *given)
        assert outcome.exit_code == 2
        assert message in " ".join(outcome.stderr.split())


@pytest.mark.usefixtures("preloaded_workers")
def test_rows_of_a_batch_are_mattes(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = tmp_path / "jobs.csv"
    rows.write_text(
        f"command,source,alpha,output\nmatte,{scene.portrait},false,{{source}}-{{command}}.{{ext}}\n"
        f"matte,{scene.driver},true,{{source}}-{{command}}.{{ext}}\n"
    )
    outcome = run("batch", rows, "--jobs", "1", "--work", tmp_path / "work")
    assert outcome.exit_code == 0, outcome.stderr
    assert {path.name for path in tmp_path.rglob("*-matte.*") if path.suffix != ".json"} == {
        "portrait-matte.png",
        "driver-matte.webm",
    }
