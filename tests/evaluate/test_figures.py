"""Metrics and thresholds, from scores."""

from __future__ import annotations

import json

import pytest

from facepipe.evaluate.figures import Figures, gather
from facepipe.evaluate.manifest import Task
from facepipe.evaluate.metrics import Metric
from facepipe.evaluate.report import clips_table, notes_on, summary
from facepipe.evaluate.signals import SIGNALS
from facepipe.evaluate.staging import Setting
from facepipe.renderers import RENDERERS
from facepipe.rendering.spec import RendererSpec
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


COMPACT = {"psnr": 24.0, "ssim": 0.75, "mouth_l1": 8.0, "sharpness": 0.9, "feature_distance": 0.05}


def bilayer_metrics(task: Task, first_second: float = 0.0, **scores: dict[str, float]) -> dict[str, Metric]:
    setting = Setting(task, "bilayer", first_second=first_second)
    return metrics(gather([judged("a", task, **scores)], {}, None, setting))


def test_a_renderer_has_its_own_thresholds() -> None:
    """Above the unmoved source on most clips, on average at least the mesh's; other correlations and sharpness."""
    scores = GOOD | {"psnr": 22.0, "sharpness": 0.71, "mouth_l1": 9.9, "aed": 0.29}
    found = bilayer_metrics("same", result=scores, mesh=MESH, compact=COMPACT, unmoved=STILL)
    assert all(one.met for one in found.values())
    assert found["PSNR, dB, at least the mesh renderer's"].threshold == ">= 22.00"
    assert "PSNR, dB, clips above the unmoved source, %" in found
    assert found["sharpness over the driver's, median of clips"].threshold == "0.7 to 1.2"
    assert found["correlation of pitch, embedded landmarker"].threshold == ">= 0.92"
    assert not [name for name in found if "mouth region" in name or "AED" in name or "compact" in name]
    worse = scores | {"psnr": 21.9}
    found = bilayer_metrics("same", result=worse, mesh=MESH, compact=COMPACT, unmoved=STILL)
    assert [name for name, one in found.items() if not one.met] == ["PSNR, dB, at least the mesh renderer's"]


def test_a_renderer_may_be_compared_with_the_unmoved_source_only() -> None:
    """For tokens: better than nothing on most clips, and their own correlations."""
    scores = GOOD | {"psnr": 21.0, "sharpness": 0.3, "mouth_l1": 9.9, "aed": 0.29}
    found = metrics(
        gather([judged("a", "same", result=scores, mesh=MESH, unmoved=STILL)], {}, None, Setting("same", "imf"))
    )
    assert all(one.met for one in found.values())
    assert not [name for name in found if "mesh" in name]
    assert found["PSNR, dB, clips above the unmoved source, %"].threshold == ">= 80"
    assert found["correlation of eye opening, embedded landmarker"].threshold == ">= 0.65"


@pytest.mark.parametrize(
    ("mine", "missed"),
    [
        ({"psnr": 24.1, "feature_distance": 0.04}, []),
        ({"psnr": 23.9, "feature_distance": 0.04}, ["PSNR, dB, above the compact renderer"]),
        (
            {"feature_distance": 0.06},
            ["feature distance, embedded detector and landmarker, below the compact renderer"],
        ),
        ({"feature_distance": 0.06, "lpips": 0.1}, []),
    ],
)
def test_after_fine_tuning_the_others_must_be_exceeded(mine: dict[str, float], missed: list[str]) -> None:
    """By PSNR, and by LPIPS where it is measured, else by the feature distance."""
    compact = COMPACT | ({"lpips": 0.2} if "lpips" in mine else {})
    found = bilayer_metrics("same", 20.0, result=GOOD | mine, mesh=MESH, compact=compact, unmoved=STILL)
    assert [name for name, one in found.items() if not one.met] == missed


def test_across_identities_a_renderer_is_compared_with_those_it_names() -> None:
    scores = {"shape": 0.06, "shape_driver": 0.1, "colour": 6.0, "flicker": 1.1, "sharpness": 1.0}
    found = bilayer_metrics("cross", result=scores, compact=scores, mesh=scores, unmoved=scores)
    assert all(one.met for one in found.values())
    assert found["face colour, difference to the source's, Delta E, at most the compact renderer's"].threshold == "<= 6"
    worse = scores | {"shape": 0.061, "colour": 6.1}
    missed = [not one.met for one in bilayer_metrics("cross", result=worse, compact=scores, unmoved=scores).values()]
    assert missed == [False] * 5 + [True] * 3 + [False]


@pytest.mark.parametrize("spec", RENDERERS.values(), ids=list(RENDERERS))
def test_thresholds_are_declared_for_every_signal_and_renderer(spec: RendererSpec) -> None:
    assert set(spec.quality.correlations) == set(SIGNALS)
    assert set(spec.compared_with) <= set(RENDERERS) - {spec.name}


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
