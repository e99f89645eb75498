"""Metrics, their thresholds, and their lines in the table."""

from __future__ import annotations

import json
import time

import pytest

from facepipe.bench.metric import Metric, Spent, Threshold, duration, rate, spent_by
from facepipe.cli.bench import line_of


@pytest.mark.parametrize(
    ("kind", "value", "met"), [("at least", 40, True), ("at least", 39.9, False), ("at most", 41, False)]
)
def test_a_threshold_is_met_or_not(kind: str, value: float, met: bool) -> None:
    assert Threshold(40, kind).met(value) is met  # type: ignore[arg-type]


def test_a_metric_is_the_median_of_its_repeats() -> None:
    metric = rate("crop", 100, [Spent(2, 1), Spent(1, 3), Spent(4, 2)], Threshold(80, "at least"))
    assert metric.median == 50
    assert metric.cpu_seconds == 2
    told = metric.as_json()
    assert json.loads(json.dumps(told)) == told
    assert (told["median"], told["threshold"], told["met"], told["values"]) == (50, 80, False, [50, 100, 25])
    assert line_of(metric).endswith(">= 80, NOT met")


def test_a_metric_without_a_threshold_prints_none() -> None:
    metric = duration("mux", [Spent(0.25, 0.1)])
    assert "met" not in metric.as_json()
    assert line_of(metric).split() == ["mux", "0.25", "s", "0.25", "to", "0.25", "0.10"]
    assert "met" in line_of(Metric("memory", "GB", (1.0,), Threshold(1.2, "at most")))


def test_waiting_costs_no_processor_time() -> None:
    spent = spent_by(lambda: time.sleep(0.05))
    assert spent.seconds >= 0.05
    assert spent.cpu_seconds <= 0.04
