"""From judged cases to figures: means, correlations over all frames, and what is held against which bar."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from facepipe.evaluate.frechet import Moments, frechet_distance
from facepipe.evaluate.judging import DRIVER, Judged
from facepipe.evaluate.manifest import Task
from facepipe.evaluate.scene import MESH, UNMOVED
from facepipe.evaluate.signals import Followed, correlations

RESULT = "result"


@dataclass(frozen=True)
class Measure:
    """One measure as it stands in tables."""

    title: str
    digits: int
    tasks: tuple[Task, ...] = ("same", "cross")
    scale: float = 1.0
    """What it is multiplied with to be shown."""
    ratio: bool = False
    """Whether the middle of the clips is taken in place of the mean: a ratio to next to nothing knows no bounds."""

    @property
    def of_clip(self) -> str:
        """What it is called where it is one clip's."""
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
    "shape_driver": Measure("face shape, distance to the driver's, likewise", 2, ("cross",), 100),
    "colour": Measure("face colour, difference to the source's, Delta E", 2, ("cross",)),
    "identity": Measure("identity similarity to the source, cosine", 3),
    "seen": Measure("frames with a face, %", 1, ("same", "cross"), 100),
}
CORRELATION_BARS = {"yaw": 0.97, "pitch": 0.97, "roll": 0.97, "mouth opening": 0.93, "eye opening": 0.75}
CROSS_SLACK = 0.05
BETTER_SHARE, MOUTH_SHARE, DISTANCE_SHARE = 0.8, 0.75, 0.6
SHARPEST, DULLEST, MOST_FLICKER = 1.2, 0.75, 1.3
# Not named by anybody: half as far from the source's face as from the driver's, and a difference in colour that is
# only seen side by side.
SHAPE_SHARE, COLOUR_DIFFERENCE = 0.5, 5.0


@dataclass(frozen=True)
class Row:
    """A figure beside its bar."""

    name: str
    measured: str
    bar: str
    met: bool | None
    """None where there is nothing to hold it against."""


@dataclass(frozen=True)
class Figures:
    """Everything that a report tells of all cases together."""

    task: Task
    means: Mapping[str, Mapping[str, float]]
    """By contender and measure."""
    correlations: Mapping[str, Mapping[str, tuple[float, float]]]
    """By who judges (own, mesh, teacher) and signal: over all frames, and the mean over clips."""
    fid: Mapping[str, float]
    fid_pictures: int
    rows: Sequence[Row] = field(default_factory=list)


def gather(
    cases: Sequence[Judged], features: Mapping[str, Moments], teacher: Sequence[Followed] | None = None
) -> Figures:
    """Make the figures of at least one judged case."""
    task = cases[0].task
    names = list(dict.fromkeys(name for case in cases for name in case.scores))
    means = {
        contender: {
            measure: float(np.median(values) if one.ratio else np.mean(values))
            for measure, one in MEASURES.items()
            if (values := values_of(cases, contender, measure))
        }
        for contender in names
    }
    judged = {
        who: correlations(case.followed[name] for case in cases if name in case.followed)
        for who, name in (("own", RESULT), ("mesh", MESH))
        if name in names
    }
    if teacher is not None:
        judged["teacher"] = correlations(teacher)
    real = features.get(DRIVER)
    fid = {
        name: frechet_distance(features[name], real)
        for name in names
        if real is not None and real.count > 1 and name in features and features[name].count > 1
    }
    figures = Figures(task, means, judged, fid, real.count if real else 0)
    return Figures(task, means, judged, fid, figures.fid_pictures, bars(figures, cases))


def values_of(cases: Sequence[Judged], contender: str, measure: str) -> list[float]:
    """Return a measure of a contender in each case in which it could be measured."""
    values = (case.scores[contender].get(measure, math.nan) for case in cases if contender in case.scores)
    return [value for value in values if math.isfinite(value)]


def bars(figures: Figures, cases: Sequence[Judged]) -> list[Row]:
    """Return the figures that have a bar."""
    return (_same_bars if figures.task == "same" else _cross_bars)(figures, cases)


def _same_bars(figures: Figures, cases: Sequence[Judged]) -> list[Row]:
    means, rows = figures.means, []
    baselines = [name for name in (UNMOVED, MESH) if name in means]
    for measure in ("psnr", "ssim"):
        digits, title = MEASURES[measure].digits, MEASURES[measure].title
        mine = means[RESULT][measure]
        for name in baselines:
            other = means[name][measure]
            rows.append(
                Row(f"{title}, above {TITLES[name]}", f"{mine:.{digits}f}", f"> {other:.{digits}f}", mine > other)
            )
        above = [
            all(case.scores[RESULT][measure] > case.scores[name][measure] for name in baselines if name in case.scores)
            for case in cases
        ]
        which = "both" if len(baselines) > 1 else "it"
        rows.append(_at_least(f"{title}, clips above {which}, %", 100 * sum(above) / len(above), 100 * BETTER_SHARE, 0))
    if MESH in means:
        ratio = means[RESULT]["mouth_l1"] / means[MESH]["mouth_l1"]
        rows.append(_at_most("mouth region L1 over the mesh renderer's", ratio, MOUTH_SHARE, 3))
    sharp = means[RESULT]["sharpness"]
    rows.append(
        Row(
            "sharpness over the driver's, median of clips",
            f"{sharp:.3f}",
            f"{DULLEST} to {SHARPEST}",
            DULLEST <= sharp <= SHARPEST,
        )
    )
    for measure in ("aed", "apd_angles", "apd_translation"):
        if measure in means[RESULT]:
            ratio = means[RESULT][measure] / means[UNMOVED][measure]
            rows.append(_at_most(f"{MEASURES[measure].title}, over the unmoved source's", ratio, DISTANCE_SHARE, 3))
    return [*rows, *_correlation_rows(figures, 0.0)]


def _cross_bars(figures: Figures, _cases: Sequence[Judged]) -> list[Row]:
    mine, rows = figures.means[RESULT], _correlation_rows(figures, CROSS_SLACK)
    if "shape" in mine:
        ratio = mine["shape"] / max(mine["shape_driver"], 1e-9)
        rows.append(_at_most("face shape: distance to the source's over that to the driver's", ratio, SHAPE_SHARE, 3))
    rows.append(_at_most(MEASURES["colour"].title, mine["colour"], COLOUR_DIFFERENCE, 1))
    rows.append(
        _at_most(
            "flicker: frame-difference energy over the driver's, median of clips", mine["flicker"], MOST_FLICKER, 3
        )
    )
    return rows


TITLES = {RESULT: "result", MESH: "the mesh renderer", UNMOVED: "the unmoved source"}


def _correlation_rows(figures: Figures, slack: float) -> list[Row]:
    who = "teacher" if "teacher" in figures.correlations else "own"
    judge = "the teacher's landmarks" if who == "teacher" else "our own landmarks"
    return [
        _at_least(
            f"correlation of {name}, {judge} (mean over clips {each:.3f})", pooled, CORRELATION_BARS[name] - slack, 3
        )
        for name, (pooled, each) in figures.correlations[who].items()
    ]


def _at_least(name: str, value: float, bar: float, digits: int) -> Row:
    return Row(name, f"{value:.{digits}f}", f">= {bar:g}", bool(value >= bar))


def _at_most(name: str, value: float, bar: float, digits: int) -> Row:
    return Row(name, f"{value:.{digits}f}", f"<= {bar:g}", bool(value <= bar))
