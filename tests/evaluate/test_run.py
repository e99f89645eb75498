"""The whole, on a clip that facepipe made of a photograph."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facepipe.evaluate import run as evaluation
from facepipe.evaluate.pixels import psnr
from facepipe.media.decode import decode_frames
from facepipe.media.encode import VideoWriter
from facepipe.media.probe import probe_video
from facepipe.pipeline import rendering
from facepipe.renderers import RENDERERS
from facepipe.rendering.spec import MATTING
from facepipe.weights import find
from tests.pipeline.scene import Scene, run
from tests.rendering import cutout


def scores_of(out: Path, name: str, candidate: str) -> dict[str, float]:
    with (out / "clips.csv").open(encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            if (row["name"], row["candidate"]) == (name, candidate):
                return {key: float(value) for key, value in row.items() if value and key not in PATHS}
    raise AssertionError(f"{name} has no {candidate}")


PATHS = ("name", "candidate", "driver", "source", "result")


def test_the_mesh_repeats_a_clip_better_than_its_first_frame(scene: Scene, tmp_path: Path) -> None:
    """Every file is there, figures are finite, and what is missing is named."""
    (tmp_path / "list.csv").write_text(f"driver\n{scene.driver}\n", encoding="utf-8")
    out = tmp_path / "out"
    outcome = run("evaluate", tmp_path / "list.csv", "--renderer", "mesh", "-o", out, "--size", "128")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.splitlines()[-1] == str(out / "report.html")
    assert "LPIPS not registered: " in outcome.stdout
    mesh, still = scores_of(out, "driver", "result"), scores_of(out, "driver", "unmoved")
    for better in ("psnr", "ssim"):
        assert mesh[better] > still[better] + 0.01
    for lower in ("mouth_l1", "aed", "apd_angles", "apd_translation", "landmarks"):
        assert mesh[lower] < still[lower]
    assert still["flicker"] == 0
    assert 0.1 < mesh["flicker"] < 3
    assert mesh["correlation_yaw"] > 0.9
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert (summary["cases"], summary["task"], summary["tested"]) == (1, "same", "mesh")
    assert probe_video(out / "result" / "clips" / "driver.mp4").frame_count_estimate == 20


def rewrite(video: Path, out: Path, *, shift: int = 0, frames: int = 20, size: int = 0) -> Path:
    """Write a clip with its pictures moved to the right."""
    info = probe_video(video)
    with VideoWriter(out, size=(size or info.width, info.height), fps=info.fps, quality=95) as writer:
        for picture in list(decode_frames(video, info=info))[:frames]:
            writer.write(np.ascontiguousarray(np.roll(picture, shift, axis=1)[:, : size or info.width]))
    return out


@pytest.mark.slow
def test_finished_results_are_judged_and_odd_ones_cost_themselves(scene: Scene, tmp_path: Path) -> None:
    """The driver itself is the best result there is; others are short, moved, or cut, and are told of by name."""
    driver = rewrite(scene.driver, tmp_path / "driver.mp4", frames=8)
    rewrite(driver, tmp_path / "good.mp4")
    rewrite(driver, tmp_path / "short.mp4", frames=4)
    rewrite(driver, tmp_path / "moved.mp4", shift=60)
    rewrite(driver, tmp_path / "cut.mp4", size=200)
    rows = [f"{name},driver.mp4,{name}.mp4" for name in ("good", "short", "moved", "cut")]
    (tmp_path / "list.csv").write_text("\n".join(["name,driver,result", *rows]) + "\n", encoding="utf-8")
    out = tmp_path / "out"
    outcome = run("evaluate", tmp_path / "list.csv", "-o", out, "--size", "128")
    assert outcome.exit_code == 4
    for message in ("short.mp4: has 4 frames", "moved.mp4: the face in its first frame is not", "cut.mp4: shows 200x"):
        assert message in outcome.stderr
    good = scores_of(out, "good", "result")
    assert good["psnr"] > 35
    assert good["sharpness"] == pytest.approx(1, abs=0.1)
    assert good["flicker"] == pytest.approx(1, abs=0.1)
    assert good["aed"] < 0.5 * scores_of(out, "good", "mesh")["aed"]
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert (summary["cases"], len(summary["failed"]), summary["tested"]) == (1, 3, "given results")


def test_a_square_result_is_compared_whole(scene: Scene, tmp_path: Path) -> None:
    """At its own size, and what the baseline renders is pasted back into the first frame."""
    driver = rewrite(scene.driver, tmp_path / "driver.mp4", size=300, frames=8)
    rewrite(driver, tmp_path / "good.mp4")
    (tmp_path / "list.csv").write_text("driver,result\ndriver.mp4,good.mp4\n", encoding="utf-8")
    out = tmp_path / "out"
    outcome = run("evaluate", tmp_path / "list.csv", "-o", out, "--size", "128", "--frames", "6")
    assert outcome.exit_code == 0, outcome.stderr
    good, mesh, still = (scores_of(out, "driver", name) for name in ("result", "mesh", "unmoved"))
    assert good["psnr"] > 35
    assert good["psnr"] > mesh["psnr"] > still["psnr"] + 0.01
    whole = next(decode_frames(driver))
    for name in ("driver", "result", "mesh", "unmoved"):
        frame = next(decode_frames(out / name / "clips" / "driver.mp4"))
        assert frame.shape == (300, 300, 3)
        assert np.abs(frame.astype(float) - whole).mean() < 4


def test_a_picture_cannot_be_a_driver(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"driver,source\n{scene.portrait},{scene.portrait}\n", encoding="utf-8")
    outcome = run("evaluate", tmp_path / "list.csv", "--task", "cross", "-o", tmp_path / "out")
    assert outcome.exit_code == 4
    assert "portrait.png: is a picture" in outcome.stderr


def test_a_portrait_keeps_its_colours_across_identities(scene: Scene, tmp_path: Path) -> None:
    """Of a few frames only, as asked; a finished result stands beside the renderer."""
    rewrite(scene.driver, tmp_path / "made.mp4")
    (tmp_path / "list.csv").write_text(
        f"name,source,driver,result\nown,{scene.portrait},{scene.driver},\nmade,{scene.portrait},{scene.driver},made.mp4\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    options = ["--task", "cross", "--renderer", "mesh", "--frames", "12", "--size", "128"]
    outcome = run("evaluate", tmp_path / "list.csv", *options, "-o", out)
    assert outcome.exit_code == 0, outcome.stderr
    for name in ("own", "made"):
        scores = scores_of(out, name, "result")
        assert scores["frames"] == 12
        assert scores["colour"] < 8
        assert scores["correlation_yaw"] > 0.9
        assert "psnr" not in scores
    assert set(json.loads((out / "summary.json").read_text(encoding="utf-8"))["means"]) == {"result", "mesh", "unmoved"}


def test_a_folder_of_something_else_is_left_alone(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"driver\n{scene.driver}\n", encoding="utf-8")
    outcome = run("evaluate", tmp_path / "list.csv", "-o", tmp_path)
    assert outcome.exit_code == 2
    assert "is not an evaluation" in outcome.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["list.csv"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--task", "both"), "expected same, cross, audio or codec"),
        (("--renderer", "photo"), "expected one of"),
        (("--size", "101"), "Take 102"),
        (("--teacher", "/no/python"), "expected the Python of"),
        (("--labels", "labels"), "--task same does not use --labels"),
        (("--task", "audio", "--frames", "5"), "--task audio does not use --out, --frames"),
        (("--task", "codec", "--frames", "5", "--size", "128"), "--task codec does not use --frames, --size"),
    ],
)
def test_what_cannot_be_is_told_at_once(scene: Scene, tmp_path: Path, flags: tuple[str, str], message: str) -> None:
    (tmp_path / "list.csv").write_text(f"driver\n{scene.driver}\n", encoding="utf-8")
    outcome = run("evaluate", tmp_path / "list.csv", "-o", tmp_path / "out", *flags)
    assert outcome.exit_code in (2, 3)
    assert message in outcome.stderr


def left_half(picture: np.ndarray) -> np.ndarray:
    """Return a matte for a network."""
    matte = np.zeros(picture.shape[:2], np.float32)
    matte[:, : len(matte) // 2] = 1
    return matte


@pytest.fixture
def with_alpha(monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a renderer with alpha, and a matting network that is a function."""
    spec = replace(cutout.SPEC, compared_with=("mesh",))
    monkeypatch.setitem(RENDERERS, "cutout", spec)
    monkeypatch.setattr("facepipe.rendering.matting.open_matting", lambda _: left_half)
    files = {name: find("face-model" if name == MATTING else name) for name in (MATTING, "face-model")}
    for module in (rendering, evaluation):
        monkeypatch.setattr(module, "find_weights", lambda *names: {name: files[name] for name in names})


def test_frames_with_alpha_are_compared_inside_the_matte(with_alpha: None, short: Path, tmp_path: Path) -> None:
    """Over the background of the source; all candidates by the same rule, which the report names."""
    (tmp_path / "list.csv").write_text(f"driver\n{short}\n", encoding="utf-8")
    out = tmp_path / "out"
    outcome = run("evaluate", tmp_path / "list.csv", "--renderer", "cutout", "--frames", "5", "--size", "64", "-o", out)
    assert outcome.exit_code == 0, outcome.stderr
    assert "inside the matte of the driver's person" in " ".join(outcome.stdout.split())
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert (summary["compared_in"], set(summary["means"])) == ("matte", {"result", "mesh", "unmoved"})
    truth, still = (list(decode_frames(out / name / "clips" / "driver.mp4")) for name in ("driver", "unmoved"))
    wanted = np.mean([psnr(a, b, left_half(a)) for a, b in zip(still[1:], truth[1:], strict=True)])
    whole = np.mean([psnr(a, b) for a, b in zip(still[1:], truth[1:], strict=True)])
    assert abs(wanted - whole) > 0.5
    # The clips are encoded; the figures are of the frames before.
    assert scores_of(out, "driver", "unmoved")["psnr"] == pytest.approx(wanted, abs=0.25)


def test_a_clip_without_a_person_is_left_out(
    with_alpha: None, short: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def person_in_the_source_only(picture: np.ndarray) -> np.ndarray:
        calls.append(picture)
        return left_half(picture) * (len(calls) == 1)

    monkeypatch.setattr("facepipe.rendering.matting.open_matting", lambda _: person_in_the_source_only)
    (tmp_path / "list.csv").write_text(f"driver\n{short}\n", encoding="utf-8")
    flags = ("--renderer", "cutout", "--frames", "3", "--size", "64", "-o", tmp_path / "out")
    outcome = run("evaluate", tmp_path / "list.csv", *flags)
    assert outcome.exit_code == 4
    assert "no person was found in the compared frames" in outcome.stderr
