"""`facepipe audio`: takes, seeds, what is made again and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from facepipe.media.image import read_image
from facepipe.media.probe import probe_video
from facepipe.pipeline.audio import seed_of
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import load_coefficients
from tests.media.sounds import voice as voice_of
from tests.media.sounds import write_voice
from tests.pipeline.scene import Scene, ffmpeg


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    return write_voice(tmp_path / "voice.wav", 1.2)


def test_takes_differ_and_a_rerun_does_nothing(scene: Scene, voice: Path, tmp_path: Path) -> None:
    words = ("audio", scene.portrait, voice, "-o", tmp_path / "a.mp4", "--samples", "2", "--size", "64")
    outcome = scene.run(*words, "--report", tmp_path / "r.png", "--sheet", tmp_path / "s.png")
    outs = [tmp_path / "a-1.mp4", tmp_path / "a-2.mp4"]
    beside = [tmp_path / name for name in ("r-1.png", "s-1.png", "r-2.png", "s-2.png")]
    assert sorted(outcome.stdout.split()) == sorted(str(path) for path in (*outs, *beside))
    one, two = (path.read_bytes() for path in outs)
    assert one != two
    assert probe_video(outs[0]).frame_count_estimate == 30
    assert probe_video(outs[0]).has_sound
    assert read_image(tmp_path / "r-1.png").shape[0] > 300
    assert not np.array_equal(read_image(tmp_path / "s-1.png"), read_image(tmp_path / "s-2.png"))
    sidecar = json.loads((tmp_path / "a-2.mp4.json").read_text("utf-8"))
    assert sidecar["take"] == 2
    assert set(sidecar["inputs"]) == {"source", "sound"}
    assert scene.run(*words, "--report", tmp_path / "r.png", "--json").made() == []
    # The first of two is the only one of one.
    scene.run("audio", scene.portrait, voice, "-o", tmp_path / "b.mp4", "--size", "64")
    assert (tmp_path / "b.mp4").read_bytes() == one


def test_names_do_not_count_and_seeds_do(scene: Scene, voice: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.wav"
    other.write_bytes(voice.read_bytes())
    for name, sound, words in (("a", voice, ()), ("b", other, ()), ("c", voice, ("--seed", "1"))):
        scene.run("motion", scene.portrait, sound, "-o", tmp_path / f"{name}.npz", *words)
    a, b, c = (load_coefficients(tmp_path / f"{name}.npz") for name in "abc")
    np.testing.assert_array_equal(a.expression, b.expression)
    assert np.abs(a.angles - c.angles).max() > 1e-3
    assert len(a) == 30
    assert seed_of(1, "x", 0) != seed_of(1, "x", 1) != seed_of(2, "x", 0)


def test_the_rate_is_the_wanted_one(scene: Scene, voice: Path, tmp_path: Path) -> None:
    scene.run("audio", scene.portrait, voice, "-o", tmp_path / "a.mp4", "--fps", "30000/1001", "--size", "64")
    info = probe_video(tmp_path / "a.mp4")
    assert (str(info.fps), info.frame_count_estimate) == ("30000/1001", 36)


def test_a_head_can_be_borrowed_or_kept(scene: Scene, voice: Path, tmp_path: Path) -> None:
    scene.run("motion", scene.portrait, voice, "-o", tmp_path / "still.npz", "--still")
    still = load_coefficients(tmp_path / "still.npz")
    assert np.ptp(still.angles, axis=0).max() < 1e-6
    words = ("audio", scene.portrait, voice, "-o", tmp_path / "a.mp4", "--size", "64", "--pose-from")
    scene.run(*words, scene.driver)
    scene.run(*words, scene.motion)
    assert "head" in json.loads((tmp_path / "a.mp4.json").read_text("utf-8"))["inputs"]


def test_strengths_and_temperature_reach_the_motion(scene: Scene, voice: Path, tmp_path: Path) -> None:
    def made(*words: str) -> Coefficients:
        scene.run("motion", scene.portrait, voice, "-o", tmp_path / "m.npz", "--overwrite", "--no-blinks", *words)
        return load_coefficients(tmp_path / "m.npz")

    plain, mute, still = made(), made("--expression-strength", "0"), made("--pose-strength", "0")
    double = made("--pose-strength", "2")
    assert np.ptp(plain.expression, axis=0).max() > 0.1
    assert np.ptp(mute.expression, axis=0).max() < 1e-6
    np.testing.assert_array_equal(mute.angles, plain.angles)
    assert max(np.ptp(still.angles, axis=0).max(), np.ptp(still.translation, axis=0).max()) < 1e-6
    moved = plain.translation - still.translation
    np.testing.assert_allclose(double.translation - still.translation, 2 * moved, atol=1e-5)
    assert np.abs(moved).max() > 1e-3
    calm = [made("--no-breath", "--temperature", "0", "--seed", seed) for seed in "12"]
    np.testing.assert_array_equal(calm[0].expression, calm[1].expression)
    wild = [made("--no-breath", "--seed", seed) for seed in "12"]
    assert np.abs(wild[0].expression - wild[1].expression).max() > 1e-2


def test_without_lookahead_a_sudden_sound_is_unheard_before_it_comes(scene: Scene, tmp_path: Path) -> None:
    """Two sounds that part after a second: frames before are alike, unless they may look ahead."""
    parting = [voice_of(2.0, seed=1), voice_of(2.0, seed=1)]
    parting[1][16_000:] = parting[1][16_000:][::-1]
    files = [tmp_path / f"{name}.wav" for name in "ab"]
    for path, sound in zip(files, parting, strict=True):
        wavfile.write(path, 16_000, sound)

    def apart(lookahead: str) -> np.ndarray:
        words = ("--no-blinks", "--no-breath", "--no-resting-lips", "--temperature", "0", "--lookahead", lookahead)
        for path in files:
            scene.run("motion", scene.portrait, path, "-o", path.with_suffix(".npz"), "--overwrite", *words)
        one, other = (load_coefficients(path.with_suffix(".npz")).expression for path in files)
        return np.asarray(np.abs(one - other).max(1))

    # The window of a frame reaches 12 ms beyond it, and both are brought to one loudness.
    assert apart("0")[:23].max() < 1e-2 * apart("14")[15:23].max()


def test_sound_that_an_mp4_can_hold_is_copied(scene: Scene, voice: Path, tmp_path: Path) -> None:
    ffmpeg("-i", voice, "-c:a", "aac", tmp_path / "v.m4a")
    scene.run("audio", scene.portrait, tmp_path / "v.m4a", "-o", tmp_path / "a.mp4", "--size", "64")
    sidecar = json.loads((tmp_path / "a.mp4.json").read_text("utf-8"))
    assert next(stage for stage in sidecar["stages"] if stage["stage"] == "mux")["facts"]["sound"] == "copied"


def test_a_dry_run_makes_nothing(scene: Scene, voice: Path, tmp_path: Path) -> None:
    outcome = scene.run("audio", scene.portrait, voice, "-o", tmp_path / "a.mp4", "--dry-run", "--json", "--seed", "9")
    planned = {event["stage"] for event in outcome.events if event["event"] == "plan"}
    assert "speech" in planned
    assert not (tmp_path / "a.mp4").exists()
