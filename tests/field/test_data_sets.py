"""A data set says what became of each raw video: parts that the rule rejects, and frames without the face."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facepipe.dataset.listing import path_of, read_list
from facepipe.errors import ExitCode
from facepipe.pipeline.delivery import sidecar_of
from tests.dataset.building import build
from tests.field.people import FPS, first, second, together, write_clip
from tests.pipeline.scene import run


def remarks_of(dataset: Path) -> dict[str, str]:
    """Return the remarks of the only clip by code."""
    (entry,) = read_list(dataset)
    return {
        one["code"]: one["text"]
        for one in json.loads(sidecar_of(path_of(dataset, entry.id, "clip")).read_text())["remarks"]
    }


@pytest.mark.usefixtures("preloaded_workers")
def test_a_build_without_a_clip_fails_and_says_why(tmp_path: Path) -> None:
    """The rule rejects the only part of the only video; a list of an earlier build becomes empty."""
    (tmp_path / "raw").mkdir()
    write_clip(tmp_path / "raw" / "short.mp4", [together(first(), None)] * 6)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "dataset.jsonl").write_text("an earlier list\n")
    arguments: list[str | Path] = ["dataset", "build", tmp_path / "raw", tmp_path / "set", "--work", tmp_path / "work"]
    outcome = run(*arguments, "--rule", "voxceleb", "--size", "64")
    told = " ".join(outcome.stderr.split())
    assert outcome.exit_code == ExitCode.FAILED_ITEMS
    assert "no clip remains (clips: 0, raw videos: 1; parts rejected: 1 too short)" in told
    assert "items with notes: no-clip 1" in told
    assert outcome.stdout == ""
    assert read_list(tmp_path / "set") == []


def test_a_video_without_a_face_fails_by_every_rule(tmp_path: Path) -> None:
    """The rule of VoxCeleb finds no part in it, which is no result either."""
    (tmp_path / "raw").mkdir()
    write_clip(tmp_path / "raw" / "empty.mp4", [together(None, None)] * 3)
    for rule in ("head", "voxceleb"):
        (error,) = build(tmp_path / "raw", tmp_path / rule, tmp_path / "work", rule=rule).errors
        assert "no face was found" in str(error), rule


@pytest.mark.parametrize("rule", ["head", "union"])
def test_a_clip_says_what_is_missing_in_it(rule: str, tmp_path: Path) -> None:
    """Two people, of whom one is used, and frames with nobody."""
    (tmp_path / "raw").mkdir()
    frames = [together(first(), second())] * 4 + [together(None, None)] * 6
    write_clip(tmp_path / "raw" / "gap.mp4", frames)
    assert not build(tmp_path / "raw", tmp_path / "set", tmp_path / "work", rule=rule, size_pixels=64, fps=FPS).errors
    told = remarks_of(tmp_path / "set")
    assert set(told) == {"several-faces", "face-missing", "few-faces", "cuts"}
    assert "6 of 10 frames do not show the face, the first at 0.40 s, the longest gap 0.60 s" in told["face-missing"]
    assert "do not turn" in told["few-faces"]
