"""Videos with an alpha channel: VP9 in WebM, written in segments, joined with sound, and read again."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facepipe.media import ffmpeg
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.media.mux import concat_and_mux
from facepipe.media.probe import probe_video
from facepipe.media.sound import probe_sound

NTSC = Fraction(30000, 1001)


def frames_of(count: int, size: tuple[int, int] = (48, 32), first: int = 0) -> list[np.ndarray]:
    """Return RGBA frames: alpha rises from left to right, and its top left corner numbers the frame."""
    frames = []
    for number in range(first, first + count):
        frame = np.full((size[1], size[0], 4), (200, 90, 30, 255), np.uint8)
        frame[..., 3] = np.linspace(0, 255, size[0]).astype(np.uint8)
        frame[:16, :16, 3] = 10 * number
        frames.append(frame)
    return frames


def segment_of(path: Path, frames: list[np.ndarray], fps: Fraction = NTSC) -> Path:
    height, width = frames[0].shape[:2]
    with VideoWriter(path, size=(width, height), fps=fps, codec="vp9", quality=90, alpha=True) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def rgba_of(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Decode a WebM by libvpx-vp9, which reads its alpha channel, without the code under test."""
    command = [ffmpeg.find_ffmpeg(), "-v", "error", "-c:v", "libvpx-vp9", "-i", str(path), "-map", "0:v"]
    done = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "rgba", "-"], capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, size[1], size[0], 4)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "sound.m4a"
    command = [ffmpeg.find_ffmpeg(), "-v", "error", "-f", "lavfi", "-i", "sine=d=0.5", "-c:a", "aac", str(path)]
    subprocess.run(command, check=True)
    return path


def test_alpha_survives_joining_and_sound(tmp_path: Path, sound: Path) -> None:
    frames = frames_of(15)
    parts = [segment_of(tmp_path / f"{n}.webm", frames[5 * n : 5 * n + 5]) for n in range(3)]
    facts = concat_and_mux(parts, out=tmp_path / "out.webm", sound_from=sound, metadata={"software": "facepipe"})
    assert facts.frame_count == 15
    assert facts.sound == "encoded"
    assert facts.fps == NTSC
    assert "Opus" in next(remark.text for remark in facts.remarks if remark.code == "sound-encoded")
    got = rgba_of(tmp_path / "out.webm", (48, 32))
    assert len(got) == 15
    assert np.abs(got[..., 3].astype(int) - np.stack(frames)[..., 3]).mean() < 3
    visible = np.stack(frames)[..., 3] > 32
    assert np.abs(got[..., :3].astype(int) - (200, 90, 30))[visible].mean() < 4
    info = probe_video(tmp_path / "out.webm")
    assert info.has_alpha
    assert info.fps == NTSC
    assert info.codec == "vp9"
    assert probe_sound(tmp_path / "out.webm").stream.codec == "opus"


def test_the_same_frames_give_the_same_bytes(tmp_path: Path, sound: Path) -> None:
    outs = []
    for name in ("a", "b"):
        part = segment_of(tmp_path / f"{name}-part.webm", frames_of(4))
        concat_and_mux([part], out=tmp_path / f"{name}.webm", sound_from=sound)
        outs.append((tmp_path / f"{name}.webm").read_bytes())
    assert outs[0] == outs[1]


@pytest.mark.parametrize("fps", [Fraction(24000, 1001), Fraction(25), Fraction(60)])
def test_many_segments_keep_the_rate(tmp_path: Path, fps: Fraction) -> None:
    part = segment_of(tmp_path / "part.webm", frames_of(7), fps)
    facts = concat_and_mux([part] * 40, out=tmp_path / "out.webm")
    info = probe_video(tmp_path / "out.webm")
    assert (facts.frame_count, info.frame_count_estimate, info.fps, info.variable_rate) == (280, 280, fps, False)


def test_the_last_frame_is_held_with_its_alpha(tmp_path: Path, sound: Path) -> None:
    part = segment_of(tmp_path / "part.webm", frames_of(5), Fraction(25))
    facts = concat_and_mux([part], out=tmp_path / "out.webm", sound_from=sound, fit="pad", codec="vp9", quality=90)
    got = rgba_of(tmp_path / "out.webm", (48, 32))
    assert len(got) == 5 + facts.held_frames
    assert facts.held_frames > 5
    assert np.abs(got[-1, ..., 3].astype(int) - got[4, ..., 3]).mean() < 3


def test_opaque_segments_become_a_webm(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "part.mp4", size=(48, 32), fps=Fraction(25), codec="vp9") as writer:
        for frame in frames_of(3):
            writer.write(np.ascontiguousarray(frame[..., :3]))
    concat_and_mux([tmp_path / "part.mp4"], out=tmp_path / "out.webm")
    info = probe_video(tmp_path / "out.webm")
    assert (info.container, info.frame_count_estimate, info.has_alpha) == ("matroska,webm", 3, False)


def test_decoding_yields_alpha_or_white(tmp_path: Path) -> None:
    part = segment_of(tmp_path / "part.webm", frames_of(2))
    (frame, _) = decode_frames(part, alpha=True)
    assert frame.shape == (32, 48, 4)
    assert np.abs(frame[20, :, 3].astype(int) - frames_of(1)[0][20, :, 3]).max() < 12
    (shown, _) = decode_frames(part)
    assert shown.shape == (32, 48, 3)
    assert (shown[20, 0] > 245).all()


def test_only_a_webm_has_alpha(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"vp9 in \.webm"):
        VideoWriter(tmp_path / "part.mp4", size=(48, 32), fps=NTSC, codec="vp9", alpha=True)
