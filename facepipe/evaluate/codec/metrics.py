"""Metrics with thresholds: what the codec is expected to reach beside the anchors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from facepipe.evaluate.codec.anchors import RIVALS
from facepipe.evaluate.codec.figures import Figures, SettingFigures
from facepipe.evaluate.metrics import Metric

MAX_RATE, MAX_RATE_WITHOUT_KEY = 5.0, 2.5
MAX_SHARE = 0.5
MIN_FRAMES_PER_SECOND = 25.0
MAX_OVER_ENTROPY = 1.15


def tested_setting(settings: Sequence[SettingFigures]) -> SettingFigures:
    """Return the setting with the smallest landmark error within both rates; the lowest rate if none is within them."""
    within = [
        one
        for one in settings
        if one.means["rate"] <= MAX_RATE and one.means["rate_without_key"] <= MAX_RATE_WITHOUT_KEY
    ]
    if not within:
        return min(settings, key=lambda one: one.means["rate"])
    return min(within, key=lambda one: one.means.get("landmarks", math.inf))


def metrics_of(figures: Figures, family: str) -> list[Metric]:
    """Return the metrics of a codec; without any of its settings none."""
    settings = figures.family(family)
    if not settings:
        return []
    tested = tested_setting(settings)
    means = tested.means
    rows = [
        _at_most("kbit/s without key frame", means["rate_without_key"], MAX_RATE_WITHOUT_KEY, 2),
        _at_most("kbit/s", means["rate"], MAX_RATE, 2),
    ]
    for rival in RIVALS:
        if others := [one for one in figures.family(rival) if "landmarks" in one.means]:
            rows += _landmark_metrics(settings, tested, others)
    rows += [
        _at_least(f"{what}, frames/s of the whole command", means[f"{key}_fps"], MIN_FRAMES_PER_SECOND, 1)
        for what, key in (("encoding", "encode"), ("decoding", "decode"))
    ]
    if tested.coded_over_entropy is not None:
        name = "bits of the tokens over their empirical entropy"
        rows.append(_at_most(name, tested.coded_over_entropy, MAX_OVER_ENTROPY, 3))
    return rows


def _landmark_metrics(
    settings: Sequence[SettingFigures], tested: SettingFigures, others: Sequence[SettingFigures]
) -> list[Metric]:
    lowest, error = others[0], tested.means.get("landmarks", math.inf)
    where = f"{lowest.about} at {lowest.means['rate']:.2f} kbit/s, its lowest rate"
    half = MAX_SHARE * lowest.means["landmarks"]
    rows = [_at_most(f"landmark error, at most half that of {where}", error, half, 2)]
    # At a rate that the other codec does not reach, it is given more bits: those of its lowest rate.
    margins = [(one.means.get("landmarks", math.inf), error_at(one.means["rate"], others)) for one in settings]
    worst = max(margins, key=lambda both: both[0] - both[1])
    name = f"landmark error at each of its {len(settings)} rates, below that of {lowest.family} at equal rate (worst)"
    rows.append(Metric(name, f"{worst[0]:.2f}", f"< {worst[1]:.2f}", worst[0] < worst[1]))
    return rows


def error_at(rate: float, others: Sequence[SettingFigures]) -> float:
    """Return the landmark error of a codec at a rate, by its best settings: linear over the logarithm of the rate.

    Outside its rates, that of the nearest one.
    """
    front = frontier([(one.means["rate"], one.means["landmarks"]) for one in others])
    rates, errors = zip(*front, strict=True)
    return float(np.interp(math.log(rate), np.log(rates), errors))


def frontier(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the (rate, error) points, by rate, that no other point beats in both."""
    front: list[tuple[float, float]] = []
    for rate, error in sorted(points):
        if not front or error < front[-1][1]:
            front.append((rate, error))
    return front


def pixel_remark(figures: Figures, family: str) -> str:
    """Return a sentence that compares the codec's PSNR with that of the anchors; empty without settings."""
    settings = figures.family(family)
    if not settings:
        return ""
    mine = tested_setting(settings)
    better = [one for one in figures.settings if one.family != family and one.means["psnr"] > mine.means["psnr"]]
    if not better:
        return f"Its PSNR, {mine.means['psnr']:.2f} dB, is above that of every anchor."
    cheapest = min(better, key=lambda one: one.means["rate"])
    return (
        f"Its PSNR, {mine.means['psnr']:.2f} dB, is lower than that of {len(better)} of the classical settings; the "
        f"cheapest of them is {cheapest.about} with {cheapest.means['psnr']:.2f} dB at "
        f"{cheapest.means['rate']:.2f} kbit/s. It "
        "draws a face that moves like the original's, not the original's pixels."
    )


def _at_most(name: str, value: float, threshold: float, digits: int) -> Metric:
    return Metric(name, f"{value:.{digits}f}", f"<= {threshold:.{digits}f}", value <= threshold)


def _at_least(name: str, value: float, threshold: float, digits: int) -> Metric:
    return Metric(name, f"{value:.{digits}f}", f">= {threshold:g}", value >= threshold)
