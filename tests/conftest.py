"""Fixtures shared by the tests of several packages.

The process that distributes tests among others imports this file too and runs none, so heavy modules are imported where
they are used.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Generator
from functools import cache
from typing import TYPE_CHECKING, Any

if "PYTEST_XDIST_WORKER" in os.environ:
    # The processes share the cores. torch reads this when it is imported; programs that tests start inherit it.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import typer.testing

if TYPE_CHECKING:
    from tests.pipeline.scene import Scene

FRAMES = 20
WITHOUT_GPU = pytest.StashKey[bool]()


def pytest_configure() -> None:
    """Reset signals that nohup or a background shell ignores: child programs would inherit that and not stop."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    # Most tests concern the pipeline rather than a renderer and render thousands of frames, so they use the renderer
    # that is fast on every machine. Tests of the default renderer unset this.
    os.environ.setdefault("FACEPIPE_RENDER_RENDERER", "mesh")
    # typer derives the commands and their options from the functions anew at each call, which takes 0.1 s.
    typer.testing._get_command = cache(typer.testing._get_command)  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while everything is imported, and leave what was imported out of later collections.

    It is some million objects that stay; a collection over them takes 0.3 s.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def lacks_gpu() -> bool:
    """Return whether the tests marked `cuda` are to be deselected: torch sees no GPU, and nobody insists on one."""
    import torch

    return not (torch.cuda.is_available() or os.environ.get("FACEPIPE_REQUIRE_CUDA"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that need a GPU where there is none, and put modules with slow tests first.

    So no process begins a slow test when the others have nothing left to do. Tests of a module stay together, because
    they share what is prepared for them.
    """
    if lacks_gpu() and (deselected := [item for item in items if item.get_closest_marker("cuda")]):
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Pass on to the process that distributes the tests whether tests were deselected."""
    if output := getattr(session.config, "workeroutput", None):
        output["lacks_gpu"] = lacks_gpu()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Keep what a worker passed on."""
    node.config.stash[WITHOUT_GPU] = getattr(node, "workeroutput", {}).get("lacks_gpu", False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print that some were deselected; several processes do not report their number."""
    if config.stash[WITHOUT_GPU] if WITHOUT_GPU in config.stash else lacks_gpu():
        terminalreporter.line("torch sees no GPU: tests marked cuda are deselected (FACEPIPE_REQUIRE_CUDA=1 runs them)")


@pytest.fixture
def preloaded_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork the workers of a batch in this process from one that has loaded torch. Otherwise they are loky's."""
    from tests.preloaded import new_seat

    monkeypatch.setattr("facepipe.batch.engines._Seats._new", new_seat)


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A photograph, a clip of 20 frames with sound that facepipe renders from it, and the motion of the clip."""
    from skimage import data

    from facepipe.media.image import write_image
    from facepipe.spaces.files import load_coefficients, save_coefficients
    from tests.pipeline.scene import ROOT, Scene, ffmpeg

    folder = tmp_path_factory.mktemp("scene")
    made = Scene(folder / "portrait.png", folder / "driver.mp4", folder / "motion.npz", folder / "work")
    write_image(made.portrait, data.astronaut()[:300, 60:380])  # type: ignore[no-untyped-call]
    save_coefficients(load_coefficients(ROOT / "examples/motion.npz").rows(20, 20 + FRAMES), made.motion)
    silent = folder / "silent.mp4"
    # Paste back into the whole picture, so that the face has an ordinary size.
    made.run("reenact", made.portrait, made.motion, "-o", silent, "--paste-back")
    tone = ["-f", "lavfi", "-i", "sine=d=0.8:r=48000"]
    ffmpeg("-i", silent, *tone, "-c:v", "copy", "-c:a", "aac", made.driver)
    return made
