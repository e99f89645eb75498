"""Metrics and thresholds, from scores."""

from __future__ import annotations

import json

import pytest

from facepipe.evaluate.figures import Figures, Metric, gather
from facepipe.evaluate.report import clips_table, notes_on, summary
from facepipe.evaluate.staging import Setting
from tests.evaluate.motions import judged
from tests.pipeline.scene import ROOT

GOOD = {"psnr": 25.0, "ssim": 0.8, "mouth_l1": 7.0, "sharpness": 1.0, "aed": 0.1, "apd_angles": 0.01}
MESH = {"psnr": 22.0, "ssim": 0.7, "mouth_l1": 10.0, "sharpness": 0.9, "aed": 0.2, "apd_angles": 0.02}
STILL = {"psnr": 20.0, "ssim": 0.6, "mouth_l1": 20.0, "sharpness": 1.0, "aed": 0.3, "apd_angles": 0.05}


def metrics(figures: Figures) -> dict[str, Metric]:
    return {one.name.split(" (mean")[0]: one for one in figures.metrics}


def test_a_good_renderer_meets_every_threshold() -> None:
    figures = gather([judged("a", "same", result=GOOD, mesh=MESH, unmoved=STILL)], {})
    assert all(one.met for one in figures.metrics)
    found = metrics(figures)
    assert found["mouth region L1 over the mesh renderer's"].measured == "0.700"
    assert found["PSNR, dB, above the mesh renderer"].threshold == "> 22.00"
    assert found["AED, linear478, over the unmoved source's"].measured == "0.333"
    assert found["correlation of yaw, embedded landmarker"].threshold == ">= 0.97"
    assert figures.correlations["own"]["eye opening"] == pytest.approx((1, 1))


@pytest.mark.parametrize(
    ("worse", "missed"),
    [
        ({"psnr": 21.0}, {"PSNR, dB, above the mesh renderer", "PSNR, dB, clips above both, %"}),
        ({"mouth_l1": 7.6}, {"mouth region L1 over the mesh renderer's"}),
        ({"sharpness": 0.7}, {"sharpness over the driver's, median of clips"}),
        ({"sharpness": 1.3}, {"sharpness over the driver's, median of clips"}),
        ({"aed": 0.19}, {"AED, linear478, over the unmoved source's"}),
    ],
)
def test_a_worse_metric_misses_its_threshold(worse: dict[str, float], missed: set[str]) -> None:
    figures = gather([judged("a", "same", result=GOOD | worse, mesh=MESH, unmoved=STILL)], {})
    assert {name for name, one in metrics(figures).items() if not one.met} == missed


def test_four_clips_of_five_above_both_are_enough() -> None:
    """On average above, and on 80 % of the clips; one clip in four below is too many."""
    good, bad = ({"result": GOOD | {"psnr": psnr}, "mesh": MESH, "unmoved": STILL} for psnr in (25.0, 21.0))
    four = [judged(str(number), "same", **good) for number in range(4)]
    name = "PSNR, dB, clips above both, %"
    assert metrics(gather([*four, judged("x", "same", **bad)], {}))[name].met
    assert not metrics(gather([*four[:3], judged("x", "same", **bad)], {}))[name].met


def test_ratios_are_judged_by_the_middle_clip() -> None:
    cases = [judged(str(ratio), "same", result=GOOD | {"sharpness": ratio}, unmoved=STILL) for ratio in (0.9, 1, 50)]
    assert gather(cases, {}).means["result"]["sharpness"] == 1


def test_the_mesh_is_not_its_own_baseline() -> None:
    found = metrics(gather([judged("a", "same", result=MESH, unmoved=STILL)], {}))
    assert found["PSNR, dB, clips above it, %"].met
    assert not any("mesh" in name for name in found)


def test_across_identities_other_thresholds_count() -> None:
    scores = {"shape": 0.02, "shape_driver": 0.1, "colour": 2.0, "flicker": 1.1, "sharpness": 3.0}
    figures = gather([judged("a", "cross", result=scores, unmoved=scores)], {})
    found = metrics(figures)
    assert all(one.met for one in found.values())
    assert found["correlation of mouth opening, embedded landmarker"].threshold == ">= 0.88"
    worse = scores | {"shape": 0.08, "colour": 9.0, "flicker": 1.4}
    missed = [one.met for one in gather([judged("a", "cross", result=worse, unmoved=scores)], {}).metrics]
    assert missed == [True] * 5 + [False] * 3


def test_the_teacher_has_the_last_word() -> None:
    case = judged("a", "same", result=GOOD, mesh=MESH, unmoved=STILL)
    backwards = type(case.followed["result"])(
        case.followed["result"].wanted, {name: -row for name, row in case.followed["result"].got.items()}, 1.0
    )
    found = metrics(gather([case], {}, ({"a": backwards}, 0.5)))
    assert found["correlation of yaw, teacher's landmarks"].measured == "-1.000"
    assert "correlation of yaw, embedded landmarker" not in found


def test_table_and_summary_tell_it_all() -> None:
    """One row per candidate; what was not measured is empty in the table and absent from the summary."""
    cases = [judged("a", "same", result=GOOD, unmoved=STILL), judged("b", "same", result=GOOD, unmoved=STILL)]
    lines = [line.split(",") for line in clips_table(cases).splitlines()]
    assert len(lines) == 5
    assert {len(line) for line in lines} == {len(lines[0])}
    first = dict(zip(lines[0], lines[1], strict=True))
    assert (first["name"], first["candidate"], first["psnr"], first["lpips"]) == ("a", "result", "25", "")
    missing = {"lpips": "facepipe weights add lpips alex.pth"}
    content = summary(Setting("same"), cases, gather(cases, {}), ["c: no face"], missing)
    assert json.loads(json.dumps(content, allow_nan=False))["means"]["result"]["ssim"] == pytest.approx(0.8)
    assert content["not_registered"] == missing
    explained = (ROOT / "docs/evaluation.md").read_text("utf-8").partition("## summary.json")[2]
    assert [key for key in content if f"`{key}`" not in explained] == []
    assert "lpips" not in content["means"]["result"]
    assert notes_on(missing, ["c: no face"]) == [
        "LPIPS not registered: facepipe weights add lpips alex.pth",
        "failed: c: no face",
    ]
