"""Metrics with thresholds. The thresholds are those of the renderer under test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facepipe.evaluate.judging import Judged
from facepipe.evaluate.measures import MEASURES, title_of
from facepipe.evaluate.staging import BASELINE, RESULT, UNMOVED, Setting

if TYPE_CHECKING:
    from facepipe.evaluate.figures import Figures

CROSS_SLACK = 0.05
BETTER_SHARE = 0.8
# Own thresholds, not from papers: half as far from the source's face as from the driver's, and a colour difference that
# is visible only side by side.
SHAPE_SHARE, COLOUR_DIFFERENCE, MAX_FLICKER = 0.5, 5.0, 1.3
SHAPE_RATIO = "face shape: distance to the source's over that to the driver's"


@dataclass(frozen=True)
class Metric:
    """A metric and its threshold, as text for tables."""

    name: str
    measured: str
    threshold: str
    met: bool


def metrics_of(figures: Figures, cases: Sequence[Judged], setting: Setting) -> list[Metric]:
    """Return the metrics that have a threshold."""
    if figures.task == "cross":
        return _cross_metrics(figures, setting)
    thresholds, means = setting.spec.quality, figures.means
    rows = [row for measure in ("psnr", "ssim") for row in _quality_metrics(figures, cases, setting, measure)]
    if BASELINE in means and thresholds.max_mouth_ratio:
        ratio = means[RESULT]["mouth_l1"] / means[BASELINE]["mouth_l1"]
        rows.append(_at_most(f"mouth region L1 over {title_of(BASELINE)}'s", ratio, thresholds.max_mouth_ratio, 3))
    sharp, low, high = means[RESULT]["sharpness"], thresholds.min_sharpness, thresholds.max_sharpness
    sharpness = "sharpness over the driver's, median of clips"
    rows.append(Metric(sharpness, f"{sharp:.3f}", f"{low:g} to {high:g}", low <= sharp <= high))
    for measure in ("aed", "apd_angles", "apd_translation") if thresholds.max_motion_ratio else ():
        if measure in means[RESULT]:
            ratio = means[RESULT][measure] / means[UNMOVED][measure]
            name = f"{MEASURES[measure].title}, over the unmoved source's"
            rows.append(_at_most(name, ratio, thresholds.max_motion_ratio, 3))
    rows += _correlation_metrics(figures, setting, 0.0)
    return rows + (_seconds_metrics(figures, setting) if setting.first_second else [])


def _quality_metrics(figures: Figures, cases: Sequence[Judged], setting: Setting, measure: str) -> list[Metric]:
    """Return the rows of PSNR or SSIM: the averages, and the share of the clips above those that must be exceeded."""
    above_baseline = setting.spec.quality.above_baseline
    rows, exceeded = [], [UNMOVED]
    for name in (UNMOVED, BASELINE):
        if name not in figures.means or (name == BASELINE and not setting.spec.quality.against_baseline):
            continue
        if name == UNMOVED or above_baseline:
            rows.append(_better(figures, measure, name))
            exceeded = [name] if name == UNMOVED else [UNMOVED, BASELINE]
        else:
            mine, other = (figures.means[one][measure] for one in (RESULT, name))
            title, digits = f"{MEASURES[measure].title}, at least {title_of(name)}'s", MEASURES[measure].digits
            rows.append(Metric(title, f"{mine:.{digits}f}", f">= {other:.{digits}f}", mine >= other))
    above = [
        all(case.scores[RESULT][measure] > case.scores[name][measure] for name in exceeded if name in case.scores)
        for case in cases
    ]
    which = "both" if len(exceeded) > 1 else "it" if above_baseline else title_of(UNMOVED)
    share = 100 * sum(above) / len(above)
    return [*rows, _at_least(f"{MEASURES[measure].title}, clips above {which}, %", share, 100 * BETTER_SHARE, 0)]


def _better(figures: Figures, measure: str, other: str, *, lower: bool = False) -> Metric:
    """Compare the result's mean with that of another candidate; it must be above it, or below it if `lower`."""
    one, mine, limit = MEASURES[measure], figures.means[RESULT][measure], figures.means[other][measure]
    way, sign, met = ("below", "<", mine < limit) if lower else ("above", ">", mine > limit)
    return Metric(
        f"{one.title}, {way} {title_of(other)}", f"{mine:.{one.digits}f}", f"{sign} {limit:.{one.digits}f}", met
    )


def _beside(figures: Figures, setting: Setting) -> Iterable[str]:
    """Return the renderers that the spec of the renderer under test compares it with, if they were measured."""
    return [name for name in setting.spec.compared_with if name in figures.means]


def _seconds_metrics(figures: Figures, setting: Setting) -> list[Metric]:
    """Return the rows of a network that was fine-tuned on the seconds before those that are measured."""
    distance = "lpips" if "lpips" in figures.means[RESULT] else "feature_distance"
    return [
        _better(figures, measure, name, lower=measure == distance)
        for name in _beside(figures, setting)
        for measure in ("psnr", distance)
    ]


def _cross_metrics(figures: Figures, setting: Setting) -> list[Metric]:
    mine, rows = figures.means[RESULT], _correlation_metrics(figures, setting, CROSS_SLACK)
    for name in _beside(figures, setting):
        other = figures.means[name]
        if "shape" in mine and "shape" in other:
            rows += [_no_worse(f"{MEASURES['shape'].title}, at most {title_of(name)}'s", mine, other, "shape")]
            rows += [_at_most(f"{SHAPE_RATIO}, at most {title_of(name)}'s", _ratio(mine), _ratio(other), 3)]
        rows += [_no_worse(f"{MEASURES['colour'].title}, at most {title_of(name)}'s", mine, other, "colour")]
    if not _beside(figures, setting):
        if "shape" in mine:
            rows.append(_at_most(SHAPE_RATIO, _ratio(mine), SHAPE_SHARE, 3))
        rows.append(_at_most(MEASURES["colour"].title, mine["colour"], COLOUR_DIFFERENCE, 1))
    rows.append(
        _at_most("flicker: frame-difference energy over the driver's, median of clips", mine["flicker"], MAX_FLICKER, 3)
    )
    return rows


def _ratio(scores: Mapping[str, float]) -> float:
    return scores["shape"] / max(scores["shape_driver"], 1e-9)


def _no_worse(name: str, mine: Mapping[str, float], other: Mapping[str, float], measure: str) -> Metric:
    """Compare a measure of which less is better, in the units of tables."""
    one = MEASURES[measure]
    return _at_most(name, mine[measure] * one.scale, other[measure] * one.scale, one.digits)


def _correlation_metrics(figures: Figures, setting: Setting, slack: float) -> list[Metric]:
    who = "teacher" if "teacher" in figures.correlations else "own"
    landmarks = "teacher's landmarks" if who == "teacher" else "embedded landmarker"
    return [
        _at_least(
            f"correlation of {name}, {landmarks} (mean over clips {each:.3f})",
            pooled,
            setting.spec.quality.correlations[name] - slack,
            3,
        )
        for name, (pooled, each) in figures.correlations[who].items()
    ]


def _at_least(name: str, value: float, threshold: float, digits: int) -> Metric:
    return Metric(name, f"{value:.{digits}f}", f">= {threshold:g}", bool(value >= threshold))


def _at_most(name: str, value: float, threshold: float, digits: int) -> Metric:
    return Metric(name, f"{value:.{digits}f}", f"<= {threshold:.4g}", bool(value <= threshold))
