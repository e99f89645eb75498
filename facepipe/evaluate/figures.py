"""Figures of all judged cases: means, correlations over all frames, and metrics with thresholds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from facepipe.evaluate.frechet import Moments, frechet_distance
from facepipe.evaluate.judging import DRIVER, Judged
from facepipe.evaluate.manifest import Task
from facepipe.evaluate.signals import Followed, correlations
from facepipe.evaluate.staging import BASELINE, RESULT, UNMOVED
from facepipe.renderers import RENDERERS

TITLES = {RESULT: "result", BASELINE: f"the {BASELINE} renderer", UNMOVED: "the unmoved source"}
"""Names of the candidates inside a sentence."""
DESCRIPTIONS = {
    RESULT: "the renderer or the finished video under test",
    BASELINE: f"the {BASELINE} renderer: {RENDERERS[BASELINE].about}",
    UNMOVED: "the source, repeated",
}


@dataclass(frozen=True)
class Measure:
    """One measure and its form in tables."""

    title: str
    digits: int
    tasks: tuple[Task, ...] = ("same", "cross")
    scale: float = 1.0
    """Factor for display."""
    ratio: bool = False
    """Whether to use the median over clips instead of the mean, because a ratio to a value near zero is unbounded."""

    @property
    def of_clip(self) -> str:
        """The title for a single clip."""
        return self.title.removesuffix(", median")


MEASURES: Mapping[str, Measure] = {
    "psnr": Measure("PSNR, dB", 2, ("same",)),
    "ssim": Measure("SSIM", 3, ("same",)),
    "lpips": Measure("LPIPS 0.1, AlexNet", 4, ("same",)),
    "mouth_l1": Measure("mouth region L1, grey levels", 2, ("same",)),
    "sharpness": Measure("sharpness, ratio, median", 2, ratio=True),
    "flicker": Measure("flicker, frame-difference energy, ratio, median", 2, ratio=True),
    "flicker_by_contrast": Measure("flicker over contrast, ratio, median", 2, ratio=True),
    "aed": Measure("AED, linear478", 3),
    "apd_angles": Measure("APD, angles only, radians, linear478", 4),
    "apd_translation": Measure("APD, angles and translation, linear478", 4),
    "aed_bfm": Measure("AED, bfm", 4),
    "apd_angles_bfm": Measure("APD, angles only, radians, bfm", 4),
    "apd_translation_bfm": Measure("APD, angles and translation, bfm", 4),
    "landmarks": Measure("landmark distance, % of outer-eye distance", 2, ("same",), 100),
    "shape": Measure("face shape, distance to the source's, % of outer-eye distance", 2, ("cross",), 100),
    "shape_driver": Measure("face shape, distance to the driver's, % of outer-eye distance", 2, ("cross",), 100),
    "colour": Measure("face colour, difference to the source's, Delta E", 2, ("cross",)),
    "identity": Measure("identity similarity to the source, cosine", 3),
    "seen": Measure("frames with a face, %", 1, ("same", "cross"), 100),
}
CORRELATION_THRESHOLDS = {"yaw": 0.97, "pitch": 0.97, "roll": 0.97, "mouth opening": 0.93, "eye opening": 0.75}
CROSS_SLACK = 0.05
BETTER_SHARE, MOUTH_SHARE, DISTANCE_SHARE = 0.8, 0.75, 0.6
MAX_SHARPNESS, MIN_SHARPNESS, MAX_FLICKER = 1.2, 0.75, 1.3
# Own thresholds, not from papers: half as far from the source's face as from the driver's, and a colour difference that
# is visible only side by side.
SHAPE_SHARE, COLOUR_DIFFERENCE = 0.5, 5.0


@dataclass(frozen=True)
class Metric:
    """A metric and its threshold, as text for tables."""

    name: str
    measured: str
    threshold: str
    met: bool


@dataclass(frozen=True)
class Figures:
    """The figures of all cases together."""

    task: Task
    means: Mapping[str, Mapping[str, float]]
    """By candidate and measure."""
    correlations: Mapping[str, Mapping[str, tuple[float, float]]]
    """By judge and signal: correlation over all frames, and mean over clips. The judge "own" is the embedded landmarker
    on the result, the name of the baseline is the embedded landmarker on the baseline, and "teacher" is MediaPipe on
    the result."""
    fid: Mapping[str, float]
    fid_pictures: int
    seen_by_teacher: float = math.nan
    """Share of the result's frames in which the teacher finds a face; nan without a teacher."""
    metrics: Sequence[Metric] = field(default_factory=list)


def gather(
    cases: Sequence[Judged],
    features: Mapping[str, Moments],
    teacher: tuple[Mapping[str, Followed], float] | None = None,
) -> Figures:
    """Return the figures of at least one judged case; `teacher` is what `teachers_view` returned."""
    task = cases[0].task
    names = list(dict.fromkeys(name for case in cases for name in case.scores))
    means = {
        candidate: {
            measure: float(np.median(values) if one.ratio else np.mean(values))
            for measure, one in MEASURES.items()
            if (values := values_of(cases, candidate, measure))
        }
        for candidate in names
    }
    judged = {
        who: correlations(case.followed[name] for case in cases if name in case.followed)
        for who, name in (("own", RESULT), (BASELINE, BASELINE))
        if name in names
    }
    if teacher is not None:
        judged["teacher"] = correlations(teacher[0].values())
    real = features.get(DRIVER)
    fid = {
        name: frechet_distance(features[name], real)
        for name in names
        if real is not None and real.count > 1 and name in features and features[name].count > 1
    }
    seen = teacher[1] if teacher is not None else math.nan
    figures = Figures(task, means, judged, fid, real.count if real else 0, seen)
    return replace(figures, metrics=metrics_of(figures, cases))


def values_of(cases: Sequence[Judged], candidate: str, measure: str) -> list[float]:
    """Return a measure of a candidate in each case in which it could be measured."""
    values = (case.scores[candidate].get(measure, math.nan) for case in cases if candidate in case.scores)
    return [value for value in values if math.isfinite(value)]


def metrics_of(figures: Figures, cases: Sequence[Judged]) -> list[Metric]:
    """Return the metrics that have a threshold."""
    return (_same_metrics if figures.task == "same" else _cross_metrics)(figures, cases)


def _same_metrics(figures: Figures, cases: Sequence[Judged]) -> list[Metric]:
    means, rows = figures.means, []
    baselines = [name for name in (UNMOVED, BASELINE) if name in means]
    for measure in ("psnr", "ssim"):
        digits, title = MEASURES[measure].digits, MEASURES[measure].title
        mine = means[RESULT][measure]
        for name in baselines:
            other = means[name][measure]
            rows.append(
                Metric(f"{title}, above {TITLES[name]}", f"{mine:.{digits}f}", f"> {other:.{digits}f}", mine > other)
            )
        above = [
            all(case.scores[RESULT][measure] > case.scores[name][measure] for name in baselines if name in case.scores)
            for case in cases
        ]
        which = "both" if len(baselines) > 1 else "it"
        rows.append(_at_least(f"{title}, clips above {which}, %", 100 * sum(above) / len(above), 100 * BETTER_SHARE, 0))
    if BASELINE in means:
        ratio = means[RESULT]["mouth_l1"] / means[BASELINE]["mouth_l1"]
        rows.append(_at_most(f"mouth region L1 over {TITLES[BASELINE]}'s", ratio, MOUTH_SHARE, 3))
    sharp = means[RESULT]["sharpness"]
    rows.append(
        Metric(
            "sharpness over the driver's, median of clips",
            f"{sharp:.3f}",
            f"{MIN_SHARPNESS} to {MAX_SHARPNESS}",
            MIN_SHARPNESS <= sharp <= MAX_SHARPNESS,
        )
    )
    for measure in ("aed", "apd_angles", "apd_translation"):
        if measure in means[RESULT]:
            ratio = means[RESULT][measure] / means[UNMOVED][measure]
            rows.append(_at_most(f"{MEASURES[measure].title}, over the unmoved source's", ratio, DISTANCE_SHARE, 3))
    return [*rows, *_correlation_metrics(figures, 0.0)]


def _cross_metrics(figures: Figures, _cases: Sequence[Judged]) -> list[Metric]:
    mine, rows = figures.means[RESULT], _correlation_metrics(figures, CROSS_SLACK)
    if "shape" in mine:
        ratio = mine["shape"] / max(mine["shape_driver"], 1e-9)
        rows.append(_at_most("face shape: distance to the source's over that to the driver's", ratio, SHAPE_SHARE, 3))
    rows.append(_at_most(MEASURES["colour"].title, mine["colour"], COLOUR_DIFFERENCE, 1))
    rows.append(
        _at_most("flicker: frame-difference energy over the driver's, median of clips", mine["flicker"], MAX_FLICKER, 3)
    )
    return rows


def _correlation_metrics(figures: Figures, slack: float) -> list[Metric]:
    who = "teacher" if "teacher" in figures.correlations else "own"
    landmarks = "teacher's landmarks" if who == "teacher" else "embedded landmarker"
    return [
        _at_least(
            f"correlation of {name}, {landmarks} (mean over clips {each:.3f})",
            pooled,
            CORRELATION_THRESHOLDS[name] - slack,
            3,
        )
        for name, (pooled, each) in figures.correlations[who].items()
    ]


def _at_least(name: str, value: float, threshold: float, digits: int) -> Metric:
    return Metric(name, f"{value:.{digits}f}", f">= {threshold:g}", bool(value >= threshold))


def _at_most(name: str, value: float, threshold: float, digits: int) -> Metric:
    return Metric(name, f"{value:.{digits}f}", f"<= {threshold:g}", bool(value <= threshold))
