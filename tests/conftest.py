"""What the tests of several packages start from."""

import os
import signal

import pytest
from skimage import data

from facepipe.media.image import write_image
from facepipe.spaces.files import load_coefficients, save_coefficients
from tests.pipeline.scene import ROOT, Scene, ffmpeg

FRAMES = 20


def pytest_configure() -> None:
    """Undo what nohup and background shells leave behind: programs inherit ignored signals, and would not stop."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    # Most tests are of what surrounds a renderer, and thousands of frames are drawn in them: by the one that is quick
    # everywhere. Those of the default take this away again.
    os.environ.setdefault("FACEPIPE_RENDER_RENDERER", "mesh")


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A photograph, a clip of 20 frames that facepipe makes of it, with sound, and the motion that it was made from."""
    folder = tmp_path_factory.mktemp("scene")
    made = Scene(folder / "portrait.png", folder / "driver.mp4", folder / "motion.npz", folder / "work")
    write_image(made.portrait, data.astronaut()[:300, 60:380])  # type: ignore[no-untyped-call]
    save_coefficients(load_coefficients(ROOT / "examples/motion.npz").rows(20, 20 + FRAMES), made.motion)
    silent = folder / "silent.mp4"
    # The whole picture, so that a face of ordinary size is to be found in it.
    made.run("reenact", made.portrait, made.motion, "-o", silent, "--paste-back")
    tone = ["-f", "lavfi", "-i", "sine=d=0.8:r=48000"]
    ffmpeg("-i", silent, *tone, "-c:v", "copy", "-c:a", "aac", made.driver)
    return made
