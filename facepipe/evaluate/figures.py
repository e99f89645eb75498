"""Figures of all judged cases: means, correlations over all frames, and metrics with thresholds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from facepipe.evaluate.frechet import Moments, frechet_distance
from facepipe.evaluate.judging import DRIVER, Judged
from facepipe.evaluate.manifest import Task
from facepipe.evaluate.measures import MEASURES
from facepipe.evaluate.metrics import Metric, metrics_of
from facepipe.evaluate.signals import Followed, correlations
from facepipe.evaluate.staging import RESULT, UNMOVED, Setting


@dataclass(frozen=True)
class Figures:
    """The figures of all cases together."""

    task: Task
    means: Mapping[str, Mapping[str, float]]
    """By candidate and measure."""
    correlations: Mapping[str, Mapping[str, tuple[float, float]]]
    """By judge and signal: correlation over all frames, and mean over clips. The judge "own" is the embedded landmarker
    on the result, the name of a renderer is the embedded landmarker on what it rendered beside, and "teacher" is
    MediaPipe on the result."""
    fid: Mapping[str, float]
    fid_pictures: int
    seen_by_teacher: float = math.nan
    """Share of the result's frames in which the teacher finds a face; nan without a teacher."""
    metrics: Sequence[Metric] = field(default_factory=list)
    sharpness: tuple[float, float] | None = None
    """The thresholds of the sharpness, minimum and maximum."""
    inside_matte: bool = False
    """Whether the candidates were compared inside the matte of the driver's person."""


def gather(
    cases: Sequence[Judged],
    features: Mapping[str, Moments],
    teacher: tuple[Mapping[str, Followed], float] | None = None,
    setting: Setting | None = None,
) -> Figures:
    """Return the figures of at least one judged case.

    `teacher` is the result of `teachers_view`. The thresholds are those of the renderer in `setting`.
    """
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
        "own" if name == RESULT else name: correlations(case.followed[name] for case in cases if name in case.followed)
        for name in names
        if name != UNMOVED
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
    setting = setting or Setting(task)
    limits = setting.spec.quality.min_sharpness, setting.spec.quality.max_sharpness
    return replace(
        figures,
        metrics=metrics_of(figures, cases, setting),
        sharpness=limits,
        inside_matte=setting.inside_matte,
    )


def values_of(cases: Sequence[Judged], candidate: str, measure: str) -> list[float]:
    """Return a measure of a candidate in each case in which it could be measured."""
    values = (case.scores[candidate].get(measure, math.nan) for case in cases if candidate in case.scores)
    return [value for value in values if math.isfinite(value)]
