"""A case is made by the stages of `facepipe reenact`: the same motion, the same frames, nothing made twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from facepipe.engine import Job, Workspace
from facepipe.errors import InputError
from facepipe.evaluate import driving
from facepipe.evaluate.driving import DrivenMotion, drive
from facepipe.evaluate.manifest import Case, Task
from facepipe.evaluate.staging import Setting, StagedCase, stage_case
from facepipe.pipeline.rendering import renderer_weights
from facepipe.renderers import RENDERERS, open_for
from facepipe.rendering.source import SourceFiles
from facepipe.requests import ReenactRequest
from facepipe.requests.resolution import options_for
from facepipe.settings import Settings
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import load_coefficients
from facepipe.spaces.retargeting import Retargeting
from tests.face.faces import face_model
from tests.pipeline.official_weights import add_deep3d, add_pirender
from tests.pipeline.scene import Scene, run

if TYPE_CHECKING:
    from facepipe.rendering.spec import FrameRenderer

COMPARED = 5


@dataclass(frozen=True)
class Command:
    """What `facepipe reenact` left in its work folder."""

    motion: Coefficients
    draw: FrameRenderer
    """The renderer, opened on these files."""

    def frames(self, numbers: np.ndarray) -> list[np.ndarray]:
        """Render the numbered frames one by one; they are not encoded."""
        return [next(self.draw(self.motion, number, number + 1)) for number in numbers.tolist()]


def reenacted(source: Path, driver: Path, setting: Setting, folder: Path, *flags: str) -> Command:
    """Run the command in a work folder of its own."""
    out = folder.with_suffix(".mp4")
    chosen = ("--renderer", setting.renderer, "--work", folder, "-o", out, "--json")
    outcome = run("reenact", source, driver, *chosen, *flags)
    assert outcome.exit_code == 0, outcome.stderr
    made = {event["label"]: Path(event["folder"]) for event in outcome.events if event["event"] == "done"}
    spec, crop = RENDERERS[setting.renderer], made["crop source"]
    prepared = made["prepare source"] / "prepared.safetensors" if spec.prepare else None
    files = SourceFiles(crop / "crop.png", crop / "track.npz", made["fit source"] / "coefficients.npz", prepared)
    weights = renderer_weights(setting.options(Case("a", driver, source), setting.renderer, setting.size))
    draw = open_for(spec.name, {name: file.path for name, file in weights.items()}, files)
    motion = load_coefficients(made["motion 1"] / "motion.npz", space=spec.motion_space)
    return Command(motion, draw)


def staged(case: Case, setting: Setting, work: Path) -> tuple[StagedCase, DrivenMotion]:
    """Stage a case as `facepipe evaluate` does."""
    with Job(Workspace(work), {}) as job:
        options = setting.options(case, setting.renderer, setting.size)
        driven = drive(job, case.source or case.driver, case.driver, options)
        return stage_case(job, case, setting, face_model()), driven


@pytest.mark.parametrize("renderer", RENDERERS)
def test_options_are_those_of_the_command(renderer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the defaults of renderer and motion space; the user's settings do not change what is judged."""
    source, driver = Path("a.png"), Path("b.mp4")
    command = options_for(ReenactRequest(source=source, driver=driver, renderer=renderer, size=256), Settings())
    monkeypatch.setenv("FACEPIPE_MOTION_STRENGTH", "2")
    assert Setting("cross", renderer).options(Case("a", driver, source), renderer, 256) == command
    same = Setting("same", renderer).options(Case("a", driver), renderer, 256)
    assert (same.source_frame, same.retargeting) == ("0", Retargeting(reference="first"))
    alike = replace(same, source_frame="best", retargeting=command.retargeting, invocation=command.invocation)
    assert alike == command


@pytest.mark.parametrize("renderer", ["mesh", "pirender"])
@pytest.mark.parametrize("task", ["same", "cross"])
def test_motion_and_frames_are_those_of_reenact(
    renderer: str, task: Task, short: Path, mine: Path, mirrored: Path
) -> None:
    """Array for array and pixel for pixel, with the flags that docs/evaluation.md names."""
    add_deep3d(mine)
    add_pirender(mine)
    setting = Setting(task, renderer, frames_per_clip=COMPARED)
    if task == "same":
        case, source = Case("a", short), short
        flags = ["--source-frame", "0", "--motion", "relative", "--reference", "first"]
    else:
        case, source, flags = Case("a", short, mirrored), mirrored, []
    made = reenacted(source, short, setting, mine / "command", *flags)
    ours, driven = staged(case, setting, mine / "work")
    assert len(made.motion) == 8
    for name in made.motion.space.arrays:
        np.testing.assert_array_equal(getattr(driven.motion, name), getattr(made.motion, name), err_msg=name)
    pictures = list(ours.candidates["result"].pictures())
    assert len(pictures) == COMPARED
    assert np.ptp([picture.mean() for picture in pictures]) > 0
    np.testing.assert_array_equal(pictures, made.frames(ours.driver.frames))


def test_frames_are_compared_in_the_crop_of_the_source(short: Path, mine: Path) -> None:
    """The first is the source itself; the driver's coefficients place its face where its landmarks are."""
    ours, driven = staged(Case("a", short), Setting("same"), mine / "work")
    source = driven.source()
    assert ours.driver.area == driven.source_crop()
    np.testing.assert_array_equal(next(ours.driver.pictures()), source.picture)
    np.testing.assert_array_equal(ours.source, source.picture)
    np.testing.assert_allclose(ours.source_points, source.points, atol=1e-3)
    apart = (ours.candidates["result"].points - ours.driver.points)[..., :2]
    assert np.abs(apart.mean((0, 1))).max() < 0.5
    assert not ours.counted()[0]
    assert ours.counted()[1:].all()


def test_consecutive_frames_are_rendered_in_one_call(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The renderer is given the motion of the whole clip: it may read frames around those that it renders."""
    motion, calls = load_coefficients(scene.motion), []

    def draw(motion: Coefficients, first: int, end: int) -> Iterator[np.ndarray]:
        calls.append((len(motion), first, end))
        yield from (np.full((2, 2, 3), number, np.uint8) for number in range(first, end))

    def open_scene(*_: Any) -> Any:
        return draw

    monkeypatch.setattr(driving, "open_scene", open_scene)
    frames, scene_of_mesh = np.array([0, 4, 5, 6, 19]), SimpleNamespace(options=SimpleNamespace(renderer="mesh"))
    driven = DrivenMotion(scene_of_mesh, motion, None)  # type: ignore[arg-type]
    assert [picture[0, 0, 0] for picture in driven.rendered(frames)] == frames.tolist()
    assert calls == [(20, 0, 1), (20, 4, 7), (20, 19, 20)]


def test_a_second_evaluation_makes_nothing_again(short: Path, mine: Path) -> None:
    """Of the same clip by the same renderer, in the work folder that --work names."""
    (mine / "list.csv").write_text(f"driver\n{short}\n", encoding="utf-8")

    def evaluated() -> dict[Path, int]:
        argv = ["--renderer", "mesh", "--frames", "3", "--size", "64"]
        outcome = run("evaluate", mine / "list.csv", *argv, "--work", mine / "other", "-o", mine / "out")
        assert outcome.exit_code == 0, outcome.stderr
        return {path: path.stat().st_mtime_ns for path in (mine / "other").rglob("*.npz")}

    first = evaluated()
    assert {"track.npz", "coefficients.npz", "motion.npz"} <= {path.name for path in first}
    assert evaluated() == first
    assert not (mine / "work").exists()


@pytest.mark.parametrize(
    ("renderer", "finished", "expected"),
    [
        ("bilayer", False, {"result": "bilayer", "mesh": "mesh", "compact": "compact"}),
        ("bilayer", True, {"mesh": "mesh", "compact": "compact"}),
        ("compact", False, {"result": "compact", "mesh": "mesh"}),
        ("mesh", False, {"result": "mesh"}),
    ],
)
def test_a_renderer_names_those_beside_it(renderer: str, *, finished: bool, expected: dict[str, str]) -> None:
    setting = Setting("same", renderer)
    assert setting.renderers(finished=finished) == expected
    assert list(setting.renderers(finished=finished)) == list(expected)
    assert setting.inside_matte == (renderer == "bilayer")
    assert not Setting("cross", renderer).inside_matte


def test_a_later_second_is_the_source_and_the_first_that_counts(scene: Scene, mine: Path) -> None:
    """Half a second of 25 frames/s: frame 12, to which motion is relative, so that the result begins as the source."""
    ours, driven = staged(Case("a", scene.driver), Setting("same", frames_per_clip=4, first_second=0.5), mine / "work")
    assert ours.driver.frames.tolist() == [12, 14, 16, 19]
    assert driven.scene.options.source_frame == driven.scene.options.retargeting.reference == "12"
    np.testing.assert_array_equal(ours.source, driven.source().picture)
    np.testing.assert_array_equal(next(ours.driver.pictures()), ours.source)
    still = next(iter(ours.candidates["result"].pictures()))
    assert np.abs(still.astype(float) - ours.source).mean() < 1


def test_a_clip_that_ends_before_is_refused(scene: Scene) -> None:
    with pytest.raises(InputError, match=r"has 0.8 s, but evaluation begins at 0.75 s"):
        Setting("same", first_second=0.75).first_frame(scene.driver)
