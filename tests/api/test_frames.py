"""`facepipe.frames`: the frames that a reenactment encodes, as they are rendered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facepipe
from facepipe.engine.events import Done, Event, Start, Summary
from facepipe.media.encode import VideoWriter
from facepipe.media.image import read_image
from tests.pipeline.scene import Scene, run


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEPIPE_WORK_SEGMENT_FRAMES", "8")
    return tmp_path


@pytest.mark.parametrize(
    "given", [{}, {"paste_back": True, "grid": True}, {"renderer": "compact"}], ids=["mesh", "grid", "compact"]
)
def test_they_are_what_the_command_encodes(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> None:
    written: list[np.ndarray] = []
    write = VideoWriter.write

    def noted(writer: VideoWriter, frame: np.ndarray) -> None:
        written.append(frame.copy())
        write(writer, frame)

    monkeypatch.setattr(VideoWriter, "write", noted)
    found = list(facepipe.frames(scene.portrait, scene.driver, size=64, **given))
    assert (len(found), written) == (20, [])
    assert {(frame.dtype, frame.shape[2]) for frame in found} == {(np.dtype("uint8"), 3)}
    facepipe.reenact(scene.portrait, scene.driver, out="out.mp4", size=64, **given)
    np.testing.assert_array_equal(np.stack(found), np.stack(written))


def test_a_picture_drives_one_frame(scene: Scene) -> None:
    (frame,) = facepipe.frames(read_image(scene.portrait), scene.portrait, size=64)
    facepipe.reenact(scene.portrait, scene.portrait, out="still.png", size=64)
    np.testing.assert_array_equal(frame, read_image(Path("still.png")))


def test_the_first_comes_before_the_last_is_rendered_and_closing_ends_the_work(scene: Scene, here: Path) -> None:
    seen: list[Event] = []
    frames = facepipe.frames(scene.portrait, scene.motion, size=64, progress=seen.append)
    assert seen == []
    next(frames)
    labels = [event.label for event in seen if isinstance(event, Start)]
    assert labels[-2:] == ["motion 1", "render 1"]
    assert not any(isinstance(event, Done) and event.stage == "render" for event in seen)
    assert run("clean", ".facepipe").exit_code == 75  # it is at work
    assert isinstance(frames, Iterator)
    frames.close()  # type: ignore[attr-defined]
    assert [type(event) for event in seen[-1:]] == [Summary]
    assert "motion 2" not in [event.label for event in seen if isinstance(event, Start)]
    assert run("clean", ".facepipe").exit_code == 0
    assert sorted(path.name for path in here.iterdir()) == [".facepipe"]
    assert not list(here.rglob("*render*"))


def test_a_dropped_iterator_ends_too(scene: Scene) -> None:
    seen: list[Event] = []
    for _ in facepipe.frames(scene.portrait, scene.motion, size=64, progress=seen.append):
        break
    assert isinstance(seen[-1], Summary)


def test_all_frames_are_told_of(scene: Scene) -> None:
    seen: list[Event] = []
    count = sum(1 for _ in facepipe.frames(scene.portrait, scene.motion, size=64, progress=seen.append))
    done = [event for event in seen if isinstance(event, Done) and event.stage == "render"]
    assert [event.frames_done for event in done] == [8, 8, 4]
    assert count == 20
    assert isinstance(seen[-1], Summary)
    assert seen[-1].frames_done >= 20


def test_a_fault_comes_from_the_iterator_as_an_error(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(run: object) -> Iterator[Any]:
        yield from ()
        raise MemoryError

    monkeypatch.setattr("facepipe.stages.render.frames_of", fail)
    with pytest.raises(facepipe.MemoryLimitError, match="render ran out of memory"):
        next(facepipe.frames(scene.portrait, scene.motion, size=64))
