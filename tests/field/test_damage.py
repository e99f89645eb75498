"""Damaged packets: frames decoded with errors are said, and a video with too many of them is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facepipe.errors import InputError
from facepipe.media.damage import Damage
from facepipe.media.decode import decode_frames
from tests.field.people import remarks
from tests.pipeline.scene import Scene, ffmpeg, run

# Every byte of a packet is changed with a probability of one in this number, in the packets that the filter selects.
NOISE = "noise=amount='if({},40,0)'"


def with_noise(source: Path, path: Path, packets: str, *args: str) -> Path:
    """Encode a clip as MPEG-4 and change bytes in the packets that an expression of their number `n` selects."""
    plain = path.with_name("plain.avi")
    ffmpeg("-i", source, "-an", "-c:v", "mpeg4", "-q:v", "2", *args, plain)
    ffmpeg("-i", plain, "-c", "copy", "-bsf:v", NOISE.format(packets), path)
    return path


def damage_of(path: Path) -> tuple[int, Damage]:
    """Return the number of frames and the damage."""
    damage = Damage()
    return sum(1 for _ in decode_frames(path, damage=damage)), damage


@pytest.mark.parametrize(("packets", "count"), [("0", 0), ("eq(n,5)", 1), ("between(n,5,8)", 4)])
def test_damaged_frames_are_counted(scene: Scene, tmp_path: Path, packets: str, count: int) -> None:
    """Each frame is coded by itself, so that the damage does not spread."""
    frames, damage = damage_of(with_noise(scene.driver, tmp_path / "a.avi", packets, "-g", "1"))
    assert (frames, damage.frames) == (20, count)
    text = f"at least {count} of 20 frames are damaged or lost"
    assert [remark.code for remark in damage.remarks(tmp_path, 20)] == ["damaged-frames"] * bool(count)
    assert all(remark.text.startswith(text) for remark in damage.remarks(tmp_path, 20))


def test_the_stage_crop_says_it(scene: Scene, tmp_path: Path) -> None:
    path = with_noise(scene.driver, tmp_path / "a.avi", "between(n,5,8)", "-g", "1")
    outcome = run("crop", path, "-o", tmp_path / "out", "--work", tmp_path / "work", "--json")
    assert outcome.exit_code == 0, outcome.stderr
    assert "at least 4 of 20 frames" in remarks(outcome)["damaged-frames"]


def test_too_much_damage_is_refused(scene: Scene, tmp_path: Path) -> None:
    path = with_noise(scene.driver, tmp_path / "a.avi", "between(n,4,15)", "-g", "1")
    outcome = run("crop", path, "-o", tmp_path / "out", "--work", tmp_path / "work")
    assert outcome.exit_code == 3
    # Damage can cost a frame altogether. It depends on the clip, whose last bits depend on the processor.
    told = r"(12 of 20|11 of 19) frames are decoded with errors or lost, and at most 50% may be"
    assert re.search(told, outcome.stderr), outcome.stderr


def test_errors_that_name_no_frame_are_said() -> None:
    damage = Damage()
    damage.add({"other": 3})
    assert "the decoder reports errors" in damage.remarks(Path("a.mkv"), 10)[0].text


def test_the_pass_with_the_most_damage_counts() -> None:
    damage = Damage()
    damage.add({"damaged": 3, "lost": 2})
    damage.add({"damaged": 1})
    assert damage.frames == 5
    with pytest.raises(InputError, match="5 of 9 frames"):
        damage.remarks(Path("a.mkv"), 7)
