"""Of several video tracks, the one is taken that players take. Tracks of other kinds are passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from facepipe.media import ffmpeg
from facepipe.media.decode import decode_frames
from facepipe.media.probe import probe_video
from facepipe.media.sound import probe_sound

BLUE, RED = "color=blue:s=64x64:r=25:d=0.4", "color=red:s=96x64:r=50:d=0.4"


def two_pictures(path: Path, *args: str) -> Path:
    """Write a blue video track of 25 frames/s, then a red one of 50 frames/s."""
    inputs = ["-f", "lavfi", "-i", BLUE, "-f", "lavfi", "-i", RED, "-map", "0", "-map", "1"]
    code, messages, _ = ffmpeg.run([ffmpeg.find_ffmpeg(), "-v", "error", "-y", *inputs, *args, str(path)])
    assert code == 0, messages
    return path


@pytest.mark.parametrize(
    ("name", "default", "width"),
    [("a.mkv", 1, 96), ("a.mkv", 0, 64), ("a.mkv", None, 64), ("a.mp4", 1, 96), ("a.mp4", 0, 64), ("a.ts", None, 64)],
)
def test_the_default_pictures_are_taken(tmp_path: Path, name: str, default: int | None, width: int) -> None:
    flags = ["default" if number == default else "0" for number in (0, 1)]
    path = two_pictures(tmp_path / name, "-disposition:v:0", flags[0], "-disposition:v:1", flags[1])
    info = probe_video(path)
    frames = list(decode_frames(path, info=info))
    second = width == 96
    assert (info.width, float(info.fps), info.track) == ((96, 50.0, 2) if second else (64, 25.0, 1))
    assert len(frames) == (20 if second else 10)
    assert frames[3][20, 20].argmax() == (0 if second else 2)
    assert [remark.code for remark in info.remarks] == ["several-tracks"]


@pytest.mark.parametrize("name", ["a.mov", "a.mp4"])
def test_a_track_of_time_codes_is_passed_over(tmp_path: Path, name: str) -> None:
    """The pictures and the time code are described as a group."""
    sound = ["-f", "lavfi", "-i", "sine=d=0.4:r=48000"]
    args = ["-f", "lavfi", "-i", RED, *sound, "-c:v", "mpeg4", "-c:a", "aac", "-timecode", "00:00:00:00"]
    path = tmp_path / name
    code, messages, _ = ffmpeg.run([ffmpeg.find_ffmpeg(), "-v", "error", "-y", *args, str(path)])
    assert code == 0, messages
    info = probe_video(path)
    assert (info.codec, info.width, float(info.fps), info.sound_codec) == ("mpeg4", 96, 50.0, "aac")
    assert info.remarks == ()
    assert len(list(decode_frames(path, info=info))) == 20
    assert probe_sound(path).codec == "aac"
