"""Frames without a face are counted and said; a clip with hardly any is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from facepipe.errors import ExitCode
from facepipe.face.track import FEW_FACES_SHARE, NO_FACE_SHARE
from facepipe.media.image import write_image
from tests.field.people import cropped, first, remarks, second, together, write_clip
from tests.pipeline.scene import ROOT, run

EMPTY = together(None, None)
FULL = together(first(), None)


def clip_of(path: Path, missing: int) -> Path:
    return write_clip(path, [FULL] * (20 - missing) + [EMPTY] * missing)


@pytest.mark.parametrize(("missing", "codes"), [(0, set()), (4, {"face-missing"}), (12, {"face-missing", "few-faces"})])
def test_missing_frames_are_said_with_their_count(missing: int, codes: set[str], tmp_path: Path) -> None:
    """From half of the frames on, a second remark asks to check who is followed."""
    outcome, track = cropped(clip_of(tmp_path / "clip.mp4", missing))
    told = remarks(outcome)
    assert set(told) == codes
    assert int((~track.valid).sum()) == missing
    if missing:
        assert f"{missing} of 20 frames" in told["face-missing"]
        assert f"the longest gap {missing / 10:.2f} s" in told["face-missing"]


def test_a_clip_with_hardly_any_face_is_refused(tmp_path: Path) -> None:
    """Two of twenty frames are the limit. Cutting the others is a way out, without tracking again."""
    clip, out = clip_of(tmp_path / "clip.mp4", 18), tmp_path / "out.mp4"
    arguments: list[str | Path] = ["crop", clip, "-o", out, "--work", tmp_path / "work", "--json"]
    outcome = run(*arguments)
    assert outcome.exit_code == ExitCode.FAILED_ITEMS
    failed = [event for event in outcome.events if event["event"] == "failed"]
    assert [event["failure_class"] for event in failed] == ["no-face"]
    assert "18 of 20 frames" in failed[0]["message"]
    assert f"{NO_FACE_SHARE:.0%}" in failed[0]["message"]
    assert not out.exists()
    again = run(*arguments, "--no-face", "cut")
    assert again.exit_code == 0, again.stderr
    assert again.made() == []


def test_several_faces_are_said(tmp_path: Path) -> None:
    """Which one is used, and how to choose another."""
    write_image(tmp_path / "pair.png", together(first(), second()))
    told = remarks(cropped(tmp_path / "pair.png")[0])["several-faces"]
    assert "2 faces" in told
    assert "of 2 from the left" in told
    assert "--face" in told


def test_the_shares_are_documented() -> None:
    """The page of formats states both."""
    text = (ROOT / "docs" / "formats.md").read_text()
    assert f"{FEW_FACES_SHARE:.0%}" in text
    assert f"{NO_FACE_SHARE:.0%}" in text
