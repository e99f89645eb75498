"""Odd sounds: each works, or ends with one clear message and the right exit code, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from facepipe.media.probe import probe_video
from tests.faults import forgeries as forge
from tests.faults.program import Outcome, Scene, assert_whole, run
from tests.media.sounds import HERTZ, voice, write_voice

Make = Callable[[Scene], Path]


@dataclass(frozen=True)
class Case:
    """A sound, how the program is to end, and the words that its message cannot do without."""

    name: str
    make: Make
    code: int
    argv: tuple[str, ...] = ()


def made(name: str, *argv: str, seconds: float = 0.6) -> Make:
    """A voice as ffmpeg makes it of the words."""
    return lambda scene: write_voice(scene.folder / name, seconds, *argv)


def written(name: str, samples: np.ndarray) -> Make:
    def write(scene: Scene) -> Path:
        wavfile.write(scene.folder / name, HERTZ, samples)
        return scene.folder / name

    return write


def cut_wav(scene: Scene) -> Path:
    """A WAV whose header promises more than there is."""
    content = write_voice(scene.folder / "whole.wav", 1.0).read_bytes()
    (scene.folder / "whole.wav").unlink()
    return scene.write("cut.wav", content[: len(content) // 2])


def silent_video(scene: Scene) -> Path:
    """A video without sound."""
    path = scene.folder / "mute.mp4"
    forge.ffmpeg("-i", scene.driver, "-an", "-c", "copy", path)
    return path


WORKS = [
    Case("no speech", written("silence.wav", np.zeros(HERTZ // 2, np.int16)), 0),
    Case("0.1 s", made("blip.wav", seconds=0.1), 0),
    Case("8 kHz", made("phone.wav", "-ar", "8000"), 0),
    Case("192 kHz", made("studio.wav", "-ar", "192000"), 0),
    Case("24 bits", made("deep.wav", "-c:a", "pcm_s24le"), 0),
    Case("6 channels", made("cinema.wav", "-ac", "6"), 0),
    Case("clipped", written("loud.wav", (np.sign(voice(0.6)) * 32767).astype(np.int16)), 0),
    Case("one side silent", made("left.wav", "-af", "pan=stereo|c0=c0|c1=0*c0"), 0),
    Case("truncated", cut_wav, 0),
    Case("video with sound", lambda scene: scene.driver, 0),
]
FAILS = [
    Case("missing", lambda scene: scene.folder / "gone.wav", 3, ("gone.wav", "no such file", "check the name")),
    Case("empty", lambda scene: scene.write("empty.wav", b""), 3, ("empty.wav", "0 bytes", "again")),
    Case(
        "text",
        lambda scene: scene.write("text.wav", b"dear diary, " * 9),
        3,
        ("text.wav", "is text, not sound", "give"),
    ),
    Case("video without sound", silent_video, 3, ("mute.mp4", "has no sound", "give")),
    Case("picture", lambda scene: scene.portrait, 3, ("portrait.png", "is a picture", "give")),
    Case("header alone", lambda scene: scene.write("head.wav", b"RIFF\x24\0\0\0WAVEfmt "), 3, ("head.wav",)),
]


def speak(scene: Scene, sound: Path, *argv: str | Path) -> Outcome:
    return run("audio", scene.portrait, sound, "-o", scene.out, "--work", scene.work, "--size", "64", *argv)


@pytest.mark.parametrize("case", WORKS, ids=lambda case: case.name)
def test_odd_sounds_work(scene: Scene, case: Case) -> None:
    outcome = speak(scene, case.make(scene))
    assert outcome.exit_code == case.code, outcome.stderr
    info = probe_video(scene.out)
    assert info.has_sound
    assert info.frame_count_estimate >= 1
    assert_whole(scene.work)


@pytest.mark.parametrize("case", FAILS, ids=lambda case: case.name)
def test_bad_sounds_are_told(scene: Scene, case: Case) -> None:
    sound = case.make(scene)
    outcome = speak(scene, sound)
    assert outcome.exit_code == case.code, outcome.stderr
    assert outcome.stderr.count("facepipe: ") == 1
    for word in case.argv:
        assert word in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not scene.out.exists()


def test_all_that_is_wrong_is_told_at_once(scene: Scene) -> None:
    outcome = speak(scene, scene.folder / "gone.wav", "--pose-from", scene.folder / "nobody.mp4")
    assert outcome.exit_code == 3
    assert "gone.wav" in outcome.stderr
    assert "nobody.mp4" in outcome.stderr


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--fps", "quick"), "--fps"),
        (("--fps", "0"), "--fps"),
        (("--still", "--pose-from", "x.mp4"), "--still"),
        (("--report", "x.pdf"), "PNG"),
    ],
)
def test_requests_that_cannot_be_are_told(scene: Scene, argv: tuple[str, ...], message: str) -> None:
    outcome = speak(scene, scene.driver, *argv)
    assert outcome.exit_code == 2
    assert message in outcome.stderr
