"""A renderer of the basis `bfm` under test, and in the bench; its networks are small and random."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facepipe import weights
from facepipe.bench.clip import Material
from facepipe.bench.parts import measure_parts
from facepipe.bench.whole import measure_warm
from facepipe.evaluate.footage import Eyes, follow
from facepipe.evaluate.moving import Moved, moved, moved_as_official
from facepipe.face.bfm.network import Regressor
from facepipe.media.image import read_image, write_image
from facepipe.media.probe import probe_video
from facepipe.spaces import bfm
from facepipe.spaces.bfm.coefficients import BfmCoefficients
from facepipe.spaces.coefficients import Coefficients
from facepipe.spaces.files import load_coefficients
from tests.pipeline.official_weights import add_deep3d, add_pirender
from tests.pipeline.scene import Scene, ffmpeg, run


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of the user's weights."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    return tmp_path


@pytest.fixture
def mirrored(scene: Scene, mine: Path) -> Path:
    """A portrait of somebody else."""
    write_image(mine / "other.png", np.ascontiguousarray(read_image(scene.portrait)[:, ::-1]))
    return mine / "other.png"


def rows_of(coefficients: Coefficients) -> np.ndarray:
    assert isinstance(coefficients, BfmCoefficients)
    return coefficients.descriptor_rows()


def near(found: np.ndarray, wanted: np.ndarray) -> None:
    """Pixels are sampled by ffmpeg there and by OpenCV here, which a random network tells apart."""
    assert found.shape == wanted.shape
    for part in (slice(0, 70), slice(70, 73)):
        assert np.abs(found[:, part] - wanted[:, part]).mean() < 0.1 * np.abs(wanted[:, part]).mean()
        assert np.corrcoef(found[:, part].ravel(), wanted[:, part].ravel())[0, 1] > 0.99


def test_it_is_steered_as_reenact_steers_it(scene: Scene, mine: Path, mirrored: Path) -> None:
    """A clip is repeated by its own rows; a portrait is given them in its own scale; the source's row is its own."""
    add_deep3d(mine)
    scene.run("coefficients", scene.driver, "-o", mine / "d.npz", "--space", "bfm")
    scene.run("coefficients", mirrored, "-o", mine / "s.npz", "--space", "bfm")
    scene.run("motion", mirrored, scene.driver, "-o", mine / "m.npz", "--space", "bfm")
    eyes, regressor = Eyes(), Regressor(weights.find("deep3d").path)
    driver, source = follow(scene.driver, eyes, size=256, most=5), follow(mirrored, eyes, size=256)
    driving, own, cross = (rows_of(load_coefficients(mine / f"{name}.npz", space=bfm.SPACE)) for name in "dsm")
    same = moved_as_official("same", driver, driver, eyes, regressor)
    near(rows_of(same.motion), driving)
    np.testing.assert_array_equal(rows_of(same.own), rows_of(same.motion)[:1])
    other = moved_as_official("cross", driver, source, eyes, regressor)
    near(rows_of(other.own), own)
    near(rows_of(other.motion), cross)
    assert same.frames.tolist() == other.frames.tolist() == driver.frames.tolist()
    # Where the face is to be looked for: at the driver's place and turn, as large as the source's.
    np.testing.assert_allclose(same.points, moved("same", driver, driver, eyes).points)
    width = [np.ptp(points[0, :, 0]) for points in (other.points, source.points, driver.points)]
    assert width[0] == pytest.approx(width[1], rel=0.1)
    places = other.points.mean(1)[:, :2] - driver.points.mean(1)[:, :2]
    assert np.abs(places).max() < 0.1 * width[2]


def test_frames_are_drawn_with_what_lies_around_them(scene: Scene) -> None:
    """Those that follow each other in one go."""
    motion, asked = load_coefficients(scene.motion), []

    def draw(motion: Coefficients, first: int, end: int) -> Iterator[np.ndarray]:
        asked.append((len(motion), first, end))
        yield from (np.full((2, 2, 3), number, np.uint8) for number in range(first, end))

    frames = np.array([0, 4, 5, 6, 19])
    drawn = Moved(motion.rows(0, 1), motion, frames, np.zeros((5, 478, 3))).drawn(draw)
    assert [picture[0, 0, 0] for picture in drawn] == frames.tolist()
    assert asked == [(20, 0, 1), (20, 4, 7), (20, 19, 20)]


def test_it_is_judged_as_any_other(scene: Scene, mine: Path, mirrored: Path) -> None:
    """In both tasks; the baselines beside it stay what they are."""
    add_deep3d(mine)
    add_pirender(mine)
    (mine / "list.csv").write_text(f"name,driver,source\na,{scene.driver},{mirrored}\n", encoding="utf-8")
    for task in ("same", "cross"):
        asked = ["--task", task, "--frames", "5", "-o", mine / task]
        outcome = run("evaluate", mine / "list.csv", "--renderer", "pirender", *asked)
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
    assert {"reenact, warm", "draw alone"} <= {figure.name for figure in figures}
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
    for told in ("epoch_20.pth", "Deep3DFaceRecon", "weights add deep3d", "RenYurui/PIRender", "weights add pirender"):
        assert told in outcome.stderr
