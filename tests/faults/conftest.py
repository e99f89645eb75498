"""A small portrait, the clip that facepipe makes of it, and the folders that the tests work in."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from facepipe.media.ffmpeg import find_ffmpeg
from facepipe.media.image import write_image
from facepipe.spaces.files import load_coefficients, save_coefficients
from tests.faults.forgeries import ffmpeg
from tests.faults.program import FRAMES, Scene, run

FPS, SIZE = 25, 96


@pytest.fixture(scope="session")
def model_scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """The files that every scene begins with; its work folder is shared, so that the portrait is read once."""
    folder = tmp_path_factory.mktemp("model")
    scene = Scene(folder, folder / "portrait.png", folder / "driver.mp4", folder / "motion.npz", folder / "work")
    write_image(scene.portrait, data.astronaut()[0:300, 70:370])  # type: ignore[no-untyped-call]
    made = run(
        "reenact", scene.portrait, scene.portrait, "-o", folder / "still.png", "--size", "64", "--work", scene.work
    )
    assert made.exit_code == 0, made.stderr
    save_coefficients_of_a_nod(next(scene.work.glob("coefficients/*/*/coefficients.npz")), scene.motion)
    silent = folder / "silent.mp4"
    made = run("reenact", scene.portrait, scene.motion, "-o", silent, "--size", str(SIZE), "--work", scene.work)
    assert made.exit_code == 0, made.stderr
    add_tone(silent, scene.driver)
    return scene


def save_coefficients_of_a_nod(resting: Path, path: Path) -> None:
    """Write the motion of a head that turns and nods."""
    rest = load_coefficients(resting).repeated(FRAMES)
    angles, seconds = np.array(rest.angles), np.arange(FRAMES) / FPS
    angles[:, 0] += 0.08 * np.sin(2 * np.pi * seconds / 1.1)
    angles[:, 1] += 0.25 * np.sin(2 * np.pi * seconds / 1.5)
    save_coefficients(replace(rest, angles=angles), path)


def add_tone(silent: Path, path: Path) -> None:
    """Give a video sound."""
    sound = ["-f", "lavfi", "-i", f"sine=d={FRAMES / FPS}:r=44100"]
    command = [
        find_ffmpeg(),
        "-v",
        "error",
        "-nostdin",
        "-i",
        str(silent),
        *sound,
        "-c:v",
        "copy",
        "-c:a",
        "aac",
        "-movflags",
        "+faststart",
    ]
    subprocess.run([*command, str(path)], check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def short_driver(model_scene: Scene) -> Path:
    """The first four frames of the driver, with sound, for tests in whose work folders it is tracked again."""
    path = model_scene.folder / "short.mp4"
    ffmpeg("-i", model_scene.driver, "-t", "0.16", "-c:v", "libx264", "-c:a", "copy", path)
    return path


@pytest.fixture
def scene(model_scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A folder of one's own, which is the current one, and the shared work folder."""
    monkeypatch.chdir(tmp_path)
    good = (model_scene.portrait, model_scene.driver, model_scene.motion)
    portrait, driver, motion = (Path(shutil.copy(path, tmp_path)) for path in good)
    return Scene(tmp_path, portrait, driver, motion, model_scene.work)
