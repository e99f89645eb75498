"""Real processes that are killed, asked to stop, or race each other."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.forgeries import ffmpeg
from tests.faults.program import FRAMES, Outcome, Scene, assert_whole, finish, run
from tests.preloaded import Child
from tools import kill_trial

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("FACEPIPE_KILLS", "4"))


@pytest.fixture(autouse=True)
def _eight_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEPIPE_WORK_SEGMENT_FRAMES", "5")


def command(scene: Scene, work: Path) -> tuple[str | Path, ...]:
    """A job of eight segments."""
    return ("reenact", scene.portrait, scene.driver, "-o", scene.out, "--size", "128", "--work", work, "--json")


def begin(scene: Scene, work: Path) -> Child:
    """Start the job as a process, to do something to it."""
    return Child(command(scene, work), {"OMP_NUM_THREADS": "1"}, Path.cwd())


def resume(scene: Scene, work: Path) -> Outcome:
    """Run the job to its end, in this process, which has loaded torch already."""
    return run(*command(scene, work))


def known(scene: Scene) -> Path:
    """A work folder that already knows the faces, so that what follows is rendering."""
    work = scene.folder / "work"
    shutil.copytree(scene.work, work)
    for folder in (*work.glob("render/*/*"), *work.glob("mux/*/*"), *work.glob("motion/*/*")):
        shutil.rmtree(folder)
    return work


def wait_for(found: Callable[[], object], child: Child) -> None:
    """Wait until something is there, for as long as the process lives."""
    while not found():
        assert child.poll() is None, child.communicate()
        time.sleep(0.01)


def executed(outcome: Outcome, stage: str) -> int:
    """Return how often a stage was begun."""
    return sum(event["event"] == "start" and event["stage"] == stage for event in outcome.events)


class PreloadedTask(kill_trial.Task):
    """The job in processes that need not load torch."""

    def start(self, folder: Path) -> Child:
        (folder / "out").mkdir(parents=True, exist_ok=True)
        return Child(self.arguments(folder), self.variables(), Path.cwd(), merged=True)


def test_kills_harm_nothing(model_scene: Scene, tmp_path: Path) -> None:
    """Of a job of four segments."""
    driver = tmp_path / "driver.mp4"
    ffmpeg("-i", model_scene.driver, "-frames:v", "12", "-c:a", "copy", driver)
    task = PreloadedTask(model_scene.portrait, driver, segment_frames=3, size_pixels=64)
    tried = list(kill_trial.trials(task, tmp_path, KILLS, seed=3))
    assert sum(trial.killed for trial in tried) == KILLS
    assert not tried[-1].killed
    assert [trial for trial in tried if trial.faults] == []
    assert max(trial.lost_segments for trial in tried) <= 1


def test_kills_while_rendering_cost_a_segment_each(scene: Scene) -> None:
    work, chance, begun, kills = known(scene), random.Random(5), 0, 0
    for _ in range(4):
        child = begin(scene, work)
        wait_for(lambda: list(work.glob("render/??/*.draft/.*.partial*")) or scene.out.exists(), child)
        time.sleep(chance.uniform(0, 0.03))
        child.kill()
        outcome = finish(child)
        begun += executed(outcome, "render")
        if outcome.exit_code == 0 or scene.out.exists():
            break
        kills += 1
        assert kill_trial.unfinished(work) == []
    last = resume(scene, work)
    assert last.exit_code == 0, last.stderr
    assert kills >= 3
    assert begun + executed(last, "render") <= 8 + kills
    assert_whole(work)
    assert [path.name for path in scene.folder.glob(".*")] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_to_stop(number: signal.Signals, scene: Scene) -> None:
    work = known(scene)
    child = begin(scene, work)
    wait_for(lambda: list(work.glob("render/??/*.draft/.*.partial*")), child)
    child.send_signal(number)
    stopped = finish(child)
    assert stopped.exit_code == 130, stopped.stderr
    assert "run the same command to continue" in stopped.message
    assert "Traceback" not in stopped.stderr
    assert not scene.out.exists()
    assert_whole(work)
    done = executed(stopped, "render") - 1
    again = resume(scene, work)
    assert again.exit_code == 0, again.stderr
    assert executed(again, "render") == 8 - done


def test_an_encoder_that_is_killed_from_outside(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    # One segment, so that the encoder is still waiting for frames when it is killed.
    monkeypatch.setenv("FACEPIPE_WORK_SEGMENT_FRAMES", str(FRAMES))
    work = known(scene)
    child = begin(scene, work)
    wait_for(lambda: encoders(child.pid), child)
    for process in encoders(child.pid):
        os.kill(process, signal.SIGKILL)
    outcome = finish(child)
    assert outcome.exit_code == 4, outcome.stderr
    assert "ffmpeg was killed by signal 9" in outcome.message
    assert "run again" in outcome.message
    assert ".draft" not in outcome.message
    assert_whole(work)
    assert resume(scene, work).exit_code == 0


def encoders(parent: int) -> list[int]:
    """Return the children of a process that encode frames."""
    found = []
    with suppress(OSError):  # one of them has ended
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            for child in children.read_text().split():
                found += [int(child)] * (b"pipe:0" in Path(f"/proc/{child}/cmdline").read_bytes())
    return found


def test_two_processes_make_one_result(scene: Scene) -> None:
    work = known(scene)
    children = [begin(scene, work) for _ in range(2)]
    outcomes = [finish(child) for child in children]
    assert [outcome.exit_code for outcome in outcomes] == [0, 0], [outcome.stderr for outcome in outcomes]
    assert_whole(work)
    assert len(list(work.glob("mux/*/*"))) == 1
    result = scene.out.read_bytes()
    alone = resume(scene, work)
    assert (alone.exit_code, executed(alone, "render")) == (0, 0)
    assert scene.out.read_bytes() == result
    assert {path.name for path in scene.folder.iterdir() if path.name.startswith(("out", "."))} == {
        "out.mp4",
        "out.mp4.json",
    }


def test_a_kill_between_the_sidecar_and_the_result(scene: Scene) -> None:
    """The moment at which the new sidecar describes what does not lie there yet."""
    arguments = ("reenact", scene.portrait, scene.driver, "-o", scene.out, "--size", "64", "--work", scene.work)
    assert run(*arguments).exit_code == 0
    for old in (scene.out.read_bytes(), b""):
        assert run(*arguments, "--quality", "20").exit_code == 0
        new = scene.out.read_bytes()
        scene.out.write_bytes(old) if old else scene.out.unlink()
        sidecar_with(scene, old)
        again = run(*arguments, "--quality", "20")
        assert again.exit_code == 0, again.stderr
        assert scene.out.read_bytes() == new


def sidecar_with(scene: Scene, old: bytes) -> None:
    """Bring the sidecar into the state that it has while an old result is replaced."""
    path = scene.out.with_name("out.mp4.json")
    content = json.loads(path.read_text())
    if old:
        content["replaces"] = {"out.mp4": hashlib.sha256(old).hexdigest()}
    path.write_text(json.dumps(content))
