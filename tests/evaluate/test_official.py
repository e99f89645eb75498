"""A renderer of the space `bfm` under test, and in the bench; its networks are small and random."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from facepipe.bench.clip import Material
from facepipe.bench.parts import measure_parts
from facepipe.bench.whole import measure_warm
from facepipe.engine import Job, Workspace
from facepipe.evaluate.manifest import Case
from facepipe.evaluate.staging import Setting, StagedCase, stage_case
from facepipe.media.probe import probe_video
from tests.face.faces import face_model
from tests.pipeline.official_weights import add_deep3d, add_pirender
from tests.pipeline.scene import Scene, ffmpeg, run


def test_points_lie_where_absolute_motion_places_the_face(
    scene: Scene, short: Path, mine: Path, mirrored: Path
) -> None:
    """Task "cross": at the driver's place and angle, as large as the source's face. Task "same": on the driver's."""
    add_deep3d(mine)
    add_pirender(mine)

    def staged(task: str, source: Path | None) -> StagedCase:
        with Job(Workspace(scene.work), {}) as job:
            setting = Setting(task, "pirender", frames_per_clip=5)  # type: ignore[arg-type]
            return stage_case(job, Case("a", short, source), setting, face_model())

    cross, same = staged("cross", mirrored), staged("same", None)
    made = cross.candidates["result"].points
    width = [np.ptp(points[0, :, 0]) for points in (made, cross.source_points[None], cross.driver.points)]
    assert width[0] == pytest.approx(width[1], rel=0.1)
    places = made.mean(1)[:, :2] - cross.driver.points.mean(1)[:, :2]
    assert np.abs(places).max() < 0.1 * width[2]
    np.testing.assert_array_equal(same.candidates["result"].points, same.candidates["mesh"].points)
    apart = np.linalg.norm((same.candidates["result"].points - same.driver.points)[..., :2], axis=-1)
    assert apart.mean() < 0.02 * width[2]


def test_it_is_judged_as_any_other(short: Path, mine: Path, mirrored: Path) -> None:
    """In both tasks; the baselines beside it stay what they are."""
    add_deep3d(mine)
    add_pirender(mine)
    (mine / "list.csv").write_text(f"name,driver,source\na,{short},{mirrored}\n", encoding="utf-8")
    for task in ("same", "cross"):
        options = ["--task", task, "--frames", "5", "-o", mine / task]
        outcome = run("evaluate", mine / "list.csv", "--renderer", "pirender", *options)
        assert outcome.exit_code == 0, outcome.stderr
        summary = json.loads((mine / task / "summary.json").read_text(encoding="utf-8"))
        assert summary["tested"] == "pirender"
        assert list(summary["means"]) == ["mesh", "result", "unmoved"]
        assert summary["means"]["result"]["sharpness"] != summary["means"]["mesh"]["sharpness"]
        assert probe_video(mine / task / "result/clips/a.mp4").frame_count_estimate == 5


def test_it_can_be_measured(scene: Scene, mine: Path) -> None:
    """The whole job, and its parts of what that left."""
    add_deep3d(mine)
    add_pirender(mine)
    ffmpeg("-i", scene.driver, "-t", "0.2", mine / "short.mp4")
    material = Material(scene.portrait, mine / "short.mp4", 5)
    figures, made = measure_warm(material, mine, "pirender", repeats=1)
    figures += measure_parts(material, made, "pirender", repeats=1)
    assert {"reenact, warm", "render alone"} <= {figure.name for figure in figures}
    assert all(figure.median > 0 for figure in figures)


@pytest.mark.parametrize(
    ("command", "flags", "setting"),
    [
        ("evaluate", ("--renderer", "pirender"), "mesh"),
        ("evaluate", (), "pirender"),
        ("evaluate", ("--weights", "pirender-official"), ""),
        ("bench", ("--renderer", "pirender"), "mesh"),
        ("bench", (), "pirender"),
    ],
)
def test_what_it_lacks_is_told(
    command: str, flags: tuple[str, ...], setting: str, scene: Scene, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which files, where they are to be had and how they come in, before any work; however it was chosen."""
    monkeypatch.delenv("FACEPIPE_RENDER_RENDERER")
    if setting:
        monkeypatch.setenv("FACEPIPE_RENDER_RENDERER", setting)
    (mine / "list.csv").write_text(f"driver\n{scene.driver}\n", encoding="utf-8")
    given: list[str | Path] = [mine / "list.csv", "-o", mine / "out"] if command == "evaluate" else []
    outcome = run(command, *given, *flags)
    assert outcome.exit_code == 3
    for expected in (
        "epoch_20.pth",
        "Deep3DFaceRecon",
        "weights add deep3d",
        "RenYurui/PIRender",
        "weights add pirender",
    ):
        assert expected in outcome.stderr
