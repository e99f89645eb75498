"""Several pictures of one person as the source: pooled once, compared, and refused where nothing can use them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

import facepipe
from facepipe.errors import ExitCode, UsageError
from facepipe.media.image import read_image, write_image
from facepipe.renderers import RENDERERS
from tests.face.faces import astronaut
from tests.field.people import write_clip
from tests.pipeline.scene import Outcome, Scene, run
from tests.renderers.pooling import SPEC

POOLING = ("--renderer", "pooling", "--size", "64")


@pytest.fixture(autouse=True)
def pooling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a renderer that pools pictures."""
    monkeypatch.setitem(RENDERERS, "pooling", SPEC)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return pictures of the astronaut, darker and cut otherwise, and one of a person with a far longer face."""
    folder = tmp_path_factory.mktemp("pictures")
    drawn = {
        "main": astronaut(),
        "dark": astronaut() // 2,
        "moved": astronaut()[10:, 20:],
        "other": cv2.resize(astronaut(), (320, 450), interpolation=cv2.INTER_AREA),
        "half": astronaut()[:, 155:],
        "nobody": np.full((200, 200, 3), 90, np.uint8),
    }
    for name, picture in drawn.items():
        write_image(folder / f"{name}.png", np.ascontiguousarray(picture))
    return {name: folder / f"{name}.png" for name in drawn}


def edited(folder: Path, source: Path, *options: str | Path) -> Outcome:
    """Make `out.png` by a renderer that pools."""
    return run("edit", source, "-o", folder / "out.png", "--work", folder / "work", "--json", *POOLING, *options)


def further(*paths: Path) -> list[str | Path]:
    return [word for path in paths for word in ("--source-picture", path)]


def test_pictures_are_pooled_once_and_named_in_the_sidecar(pictures: dict[str, Path], tmp_path: Path) -> None:
    alone = edited(tmp_path, pictures["main"])
    assert alone.exit_code == 0, alone.stderr
    bright = read_image(tmp_path / "out.png").mean()
    outcome = edited(tmp_path, pictures["main"], *further(pictures["dark"], pictures["moved"]))
    assert outcome.exit_code == 0, outcome.stderr
    assert 0.75 * bright < read_image(tmp_path / "out.png").mean() < 0.9 * bright
    assert {"crop source", "fit source"}.isdisjoint(outcome.made())
    assert {"crop picture 2", "fit picture 3", "compare pictures", "prepare source"} <= set(outcome.made())
    record = json.loads((tmp_path / "out.png.json").read_text("utf-8"))
    assert record["inputs"]["source_picture_2"]["path"] == str(pictures["moved"])
    assert [stage["stage"] for stage in record["stages"]].count("crop") == 3
    again = edited(tmp_path, pictures["main"], *further(pictures["dark"], pictures["moved"]), "--yaw", "5")
    assert "prepare source" not in again.made()


def test_a_dry_run_plans_every_picture(pictures: dict[str, Path], tmp_path: Path) -> None:
    planned = edited(tmp_path, pictures["main"], *further(pictures["dark"]), "--dry-run")
    assert planned.exit_code == 0, planned.stderr
    labels = [event["label"] for event in planned.events if event["event"] == "plan"]
    assert {"crop picture 2", "fit picture 2", "compare pictures", "prepare source"} <= set(labels)
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("other", ExitCode.PRECHECK, "other.png: shows another person than .*main.png: the shapes of the faces differ"),
        ("half", ExitCode.FAILED_ITEMS, "half.png: .*% of the face is outside of the picture"),
        ("nobody", ExitCode.FAILED_ITEMS, "nobody.png: no face was found"),
    ],
)
def test_a_picture_that_cannot_be_pooled_stops_the_job(
    pictures: dict[str, Path], tmp_path: Path, name: str, code: ExitCode, message: str
) -> None:
    outcome = edited(tmp_path, pictures["main"], *further(pictures["dark"], pictures[name]))
    assert outcome.exit_code == code
    failed = [event["message"] for event in outcome.events if event["event"] == "failed"]
    assert len(failed) == 1
    assert re.search(message, failed[0])
    assert not (tmp_path / "out.png").exists()


def test_faults_of_all_pictures_are_listed_together(pictures: dict[str, Path], tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [astronaut()] * 2)
    outcome = edited(tmp_path, pictures["main"], *further(clip, tmp_path / "none.png"), "--source-frames", "2")
    assert outcome.exit_code == ExitCode.PRECHECK
    told = " ".join(outcome.stderr.split())
    for part in ("clip.mp4, a video", "none.png", "--source-frames is 2, but"):
        assert part in told


def test_a_renderer_of_one_picture_refuses_several(pictures: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    common = ("edit", pictures["main"], "-o", out, "--work", tmp_path / "work", "--renderer", "mesh")
    outcome = run(*common, *further(pictures["dark"]))
    assert outcome.exit_code == ExitCode.USAGE
    told = " ".join(outcome.stderr.split())
    assert "--source-picture gives 2 pictures, but the renderer mesh uses one" in told
    assert "pooling (up to 4)" in told
    too_many = edited(tmp_path, pictures["main"], "--source-frames", "4", *further(pictures["dark"]))
    assert too_many.exit_code == ExitCode.USAGE
    assert "give 5 pictures, but the renderer pooling uses at most 4" in " ".join(too_many.stderr.split())


def test_frames_of_a_video_are_pooled(scene: Scene, tmp_path: Path) -> None:
    """The first is the portrait that one frame alone gives; the others differ from it and from each other."""
    alone = edited(tmp_path, scene.driver, "--grid")
    assert alone.exit_code == 0, alone.stderr
    own = read_image(tmp_path / "out.png")[:, :64]
    outcome = edited(tmp_path, scene.driver, "--source-frames", "3", "--grid")
    assert outcome.exit_code == 0, outcome.stderr
    assert np.array_equal(read_image(tmp_path / "out.png")[:, :64], own)
    stages = json.loads((tmp_path / "out.png.json").read_text("utf-8"))["stages"]
    (chosen,) = [stage["facts"] for stage in stages if stage["stage"] == "selection"]
    assert chosen["pictures"] == len(set(chosen["chosen_frames"])) == 3


def test_fewer_frames_than_wanted_are_said(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", [astronaut()] * 2)
    outcome = edited(tmp_path, clip, "--source-frames", "4")
    assert outcome.exit_code == 0, outcome.stderr
    assert "fewer-frames" in [event["code"] for event in outcome.events if event["event"] == "remark"]


def test_python_takes_a_list_of_pictures(pictures: dict[str, Path], tmp_path: Path) -> None:
    made = facepipe.edit(
        [read_image(pictures["main"]), pictures["dark"]],
        out=tmp_path / "out.png",
        renderer="pooling",
        size=64,
        work=tmp_path / "work",
    )
    assert made.path == tmp_path / "out.png"
    with pytest.raises(UsageError, match="empty sequence"):
        facepipe.edit([], out=tmp_path / "none.png")
    with pytest.raises(UsageError, match="uses one"):
        facepipe.edit([pictures["main"], pictures["dark"]], renderer="mesh", out=tmp_path / "none.png")
