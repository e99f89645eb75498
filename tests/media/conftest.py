"""Media made by ffmpeg's own sources, once a session."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from facepipe.media.ffmpeg import find_ffmpeg
from tests.media.sources import H264, pictures, tone

Make = Callable[..., Path]


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Return a function that runs ffmpeg with arguments and gives the file of that name that it wrote."""
    folder = tmp_path_factory.mktemp("media")

    def run(name: str, *arguments: str | Path) -> Path:
        path = folder / name
        command = [find_ffmpeg(), "-v", "error", "-nostdin", "-y", *map(str, arguments), str(path)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=60)
        return path

    return run


@pytest.fixture(scope="session")
def clip(make: Make) -> Path:
    """One second of 30000/1001 frames/s at 96x64 with sound: 30 frames with B-frames."""
    return make("clip.mp4", *pictures("30000/1001"), *tone(), *H264, "-bf", "2", "-c:a", "aac")


@pytest.fixture(scope="session")
def silent_clip(make: Make) -> Path:
    """One second of 25 frames/s at 96x64 without sound."""
    return make("silent.mp4", *pictures(), *H264)


@pytest.fixture(scope="session")
def sound_only(make: Make) -> Path:
    """Half a second of sound in an mp4."""
    return make("sound.mp4", *tone(0.5), "-c:a", "aac")


@pytest.fixture(scope="session")
def variable_clip(make: Make) -> Path:
    """A clip whose frames after the tenth come at half the rate."""
    return make(
        "variable.mp4",
        *pictures("30"),
        "-vf",
        "select='lt(n,10)+not(mod(n,2))'",
        "-fps_mode",
        "vfr",
        *H264,
    )
