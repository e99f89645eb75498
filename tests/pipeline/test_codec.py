"""The commands encode, decode and info."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepipe.codec import Frame, Key, Reader
from facepipe.face.cropping import SquareCrop, sample
from facepipe.media.decode import decode_frames
from facepipe.media.probe import probe_video
from facepipe.media.sound import decode_sound
from tests.conftest import FRAMES
from tests.pipeline.scene import Scene, ffmpeg, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stream(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene's clip in two segments of 10 frames, with sound."""
    out = tmp_path_factory.mktemp("codec") / "clip.fpv"
    scene.run("encode", scene.driver, "-o", out, "--key-seconds", "0.5", "--bitrate", "20", "--size", "128")
    return out


def _info(path: Path) -> dict[str, Any]:
    outcome = run("info", path, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    return dict(json.loads(outcome.stdout))


def test_a_clip_comes_back_with_its_frames_and_its_sound(scene: Scene, stream: Path, tmp_path: Path) -> None:
    out = tmp_path / "clip.mp4"
    scene.run("decode", stream, "-o", out)
    info, before = probe_video(out), probe_video(scene.driver)
    assert (info.width, info.height, info.frame_count_estimate) == (128, 128, FRAMES)
    assert (info.fps, info.has_sound) == (before.fps, True)
    record = json.loads((tmp_path / "clip.mp4.json").read_text())
    assert record["stages"][0]["facts"]["lost_frames"] == 0


def test_info_states_frames_keys_and_rate(stream: Path) -> None:
    found = _info(stream)
    assert (found["frames"], found["lost_frames"], found["complete"]) == (FRAMES, 0, True)
    assert found["key_frames"][0] == 0
    assert len(found["key_frames"]) >= 2
    assert found["sound"] == "opus"
    assert found["bytes"] == stream.stat().st_size


def test_the_decoded_face_is_like_that_of_the_clip(scene: Scene, stream: Path, tmp_path: Path) -> None:
    out = tmp_path / "clip.mp4"
    scene.run("decode", stream, "-o", out)
    with stream.open("rb") as file:
        framing = next(item.framing for item in Reader(file) if isinstance(item, Key))
    assert framing
    square = SquareCrop(framing.center_x, framing.center_y, framing.side)
    true = np.stack([sample(frame, square, 128) for frame in decode_frames(scene.driver)]).astype(float)
    drawn = np.stack(list(decode_frames(out))).astype(float)
    still = np.repeat(drawn[:1], len(drawn), axis=0)
    assert np.mean((drawn - true) ** 2) < 0.8 * np.mean((still[::-1] - true[::-1]) ** 2)


def test_sound_stays_in_step(scene: Scene, tmp_path: Path) -> None:
    # A click in the middle, which low rates keep where it is.
    clip, coded, out = tmp_path / "click.mp4", tmp_path / "click.fpv", tmp_path / "out.mp4"
    click = "aevalsrc='0.9*sin(2*PI*900*t)*between(t,0.4,0.45)':d=0.8:s=48000"
    ffmpeg("-i", scene.driver, "-f", "lavfi", "-i", click, "-map", "0:v", "-map", "1:a", "-c:v", "copy", clip)
    scene.run("encode", clip, "-o", coded, "--open-loop", "--size", "128")
    scene.run("decode", coded, "-o", out)
    before, after = (np.concatenate(list(decode_sound(path))).mean(1) for path in (clip, out))
    length = min(len(before), len(after))
    product = np.correlate(after[:length], before[:length], "full")
    shift = int(np.argmax(product)) - (length - 1)
    assert abs(shift) <= 0.005 * 16_000


def test_a_seek_gives_the_same_frames_as_the_whole(scene: Scene, stream: Path, tmp_path: Path) -> None:
    whole, part = tmp_path / "whole.mp4", tmp_path / "part.mp4"
    scene.run("decode", stream, "-o", whole, "--quality", "100")
    scene.run("decode", stream, "-o", part, "--from-second", "0.52", "--seconds", "0.2", "--quality", "100")
    expected = list(decode_frames(whole, start_frame=13, frame_count=5))
    got = list(decode_frames(part))
    assert len(got) == 5
    assert all(np.abs(one.astype(int) - other).mean() < 2 for one, other in zip(got, expected, strict=True))


def test_an_interrupted_job_goes_on_to_the_same_bytes(
    scene: Scene, stream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, out = tmp_path / "work", tmp_path / "again.fpv"
    arguments = ("encode", scene.driver, "-o", out, "--key-seconds", "0.5", "--bitrate", "20", "--size", "128")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("facepipe.coding.segment.save_state", stop)
        assert run(*arguments, "--work", work).exit_code != 0
    assert not out.exists()
    outcome = run(*arguments, "--work", work)
    assert outcome.exit_code == 0, outcome.stderr
    assert out.read_bytes() == stream.read_bytes()


def test_damaged_frames_are_reported_and_drawn(scene: Scene, stream: Path, tmp_path: Path) -> None:
    content = bytearray(stream.read_bytes())
    with stream.open("rb") as file:
        *_, packet = (item.packet for item in Reader(file) if isinstance(item, Frame) and len(item.packet) > 3)
    content[content.rindex(packet) + 1] ^= 0xFF
    broken, out = tmp_path / "broken.fpv", tmp_path / "broken.mp4"
    broken.write_bytes(content)
    outcome = scene.run("decode", broken, "-o", out, "--lost", "hold")
    assert probe_video(out).frame_count_estimate == FRAMES
    assert "damaged or missing" in outcome.stderr


@pytest.mark.parametrize(
    ("kind", "message"),
    [("cut", "cut off"), ("still", "cut off before its frame 0"), ("foreign", "not an .fpv"), ("weights", "networks")],
)
def test_unusable_streams_leave_no_file(scene: Scene, stream: Path, tmp_path: Path, kind: str, message: str) -> None:
    content = bytearray(stream.read_bytes())
    if kind == "weights":
        import zlib

        content[30] ^= 1  # the digest of the model
        length = 11 + int.from_bytes(content[9:11], "little")
        content[length : length + 4] = zlib.crc32(content[:length]).to_bytes(4, "little")
    broken, out = tmp_path / "broken.fpv", tmp_path / "broken.mp4"
    broken.write_bytes(
        bytes({"cut": content[:-400], "still": content[:200], "foreign": b"RIFF" + content, "weights": content}[kind])
    )
    outcome = run("decode", broken, "-o", out, "--work", scene.work)
    assert outcome.exit_code == 3
    assert message in outcome.stderr
    assert str(broken) in outcome.stderr
    assert not out.exists()


def test_what_came_before_a_pipe_ended_is_drawn(scene: Scene, stream: Path, tmp_path: Path) -> None:
    out = tmp_path / "piped.mp4"
    outcome = run("decode", "-", "-o", out, "--work", scene.work, given=stream.read_bytes()[:-300])
    assert outcome.exit_code == 3
    assert "ends early" in outcome.stderr
    assert 0 < probe_video(out).frame_count_estimate <= FRAMES


def test_filters_pass_a_video_through(scene: Scene, tmp_path: Path) -> None:
    live, coded, out = tmp_path / "live.mkv", tmp_path / "live.fpv", tmp_path / "out.mkv"
    ffmpeg("-i", scene.driver, "-c", "copy", live)
    program = [sys.executable, "-m", "facepipe"]
    encode = [*program, "encode", "-", "-o", "-", "--size", "128", "--key-seconds", "0.5", "--open-loop", "-q"]
    with live.open("rb") as given, coded.open("wb") as taken:
        subprocess.run(encode, stdin=given, stdout=taken, check=True)
    found = _info(coded)
    assert (found["frames"], found["complete"], found["sound"]) == (FRAMES, True, "opus")
    with coded.open("rb") as given, out.open("wb") as taken:
        subprocess.run([*program, "decode", "-", "-o", "-", "-q"], stdin=given, stdout=taken, check=True)
    info = probe_video(out)
    assert (info.width, info.has_sound) == (128, True)
    assert len(list(decode_frames(out))) == FRAMES


def test_a_clip_without_a_face_or_sound_is_encoded_still(scene: Scene, tmp_path: Path) -> None:
    clip, coded, out = tmp_path / "plain.mp4", tmp_path / "plain.fpv", tmp_path / "plain.out.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=161x99:d=0.4:r=10", "-pix_fmt", "yuv444p", clip)
    scene.run("encode", clip, "-o", coded, "--size", "64")
    assert _info(coded)["packets"] == 0
    scene.run("decode", coded, "-o", out)
    assert probe_video(out).frame_count_estimate == 4


def test_a_picture_is_refused(scene: Scene, tmp_path: Path) -> None:
    outcome = run("encode", scene.portrait, "-o", tmp_path / "x.fpv", "--work", scene.work)
    assert outcome.exit_code == 3
    assert "is a picture" in outcome.stderr


def test_a_second_run_makes_nothing(scene: Scene, stream: Path, tmp_path: Path) -> None:
    copy = tmp_path / stream.name
    shutil.copy(stream, copy)
    arguments = ("--key-seconds", "0.5", "--bitrate", "20", "--size", "128", "--json")
    outcome = scene.run("encode", scene.driver, "-o", tmp_path / "second.fpv", *arguments)
    assert outcome.made() == []
    assert (tmp_path / "second.fpv").read_bytes() == stream.read_bytes()


def test_tokens_of_the_imf_network_come_back_as_a_video(scene: Scene, tmp_path: Path) -> None:
    coded, out = tmp_path / "imf.fpv", tmp_path / "imf.mp4"
    scene.run("encode", scene.driver, "-o", coded, "--tokens", "imf", "--bitrate", "20", "--open-loop", "--no-sound")
    found = _info(coded)
    assert (found["tokens"], found["frames"], found["complete"]) == ("imf", FRAMES, True)
    assert found["packets"] > 0
    scene.run("decode", coded, "-o", out)
    assert len(list(decode_frames(out))) == FRAMES
    record = json.loads((tmp_path / "imf.mp4.json").read_text())
    assert {"imf-compact", "codec-imf"} <= set(record["weights"])
