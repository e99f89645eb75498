"""Landmark errors, metrics and plots of the codec's evaluation, on made-up numbers."""

from __future__ import annotations

import math
from collections import Counter
from xml.etree import ElementTree

import numpy as np
import pytest

from facepipe import weights
from facepipe.evaluate.codec.figures import Figures, SettingFigures, entropy_bits
from facepipe.evaluate.codec.metrics import error_at, frontier, metrics_of, pixel_remark
from facepipe.evaluate.codec.metrics import tested_setting as setting_under_test
from facepipe.evaluate.codec.plot import rate_plot
from facepipe.evaluate.codec.scores import Points, followed_of, landmark_scores, signals_of
from facepipe.face.model import FaceModel, load_face_model


def setting(family: str, rate: float, error: float, psnr: float = 25.0, **more: float) -> SettingFigures:
    means = {"rate": rate, "rate_without_key": rate - 1, "landmarks": error, "psnr": psnr}
    means |= {"encode_fps": 40.0, "decode_fps": 40.0, **more}
    return SettingFigures(f"{family}-{rate}", family, f"{family} at {rate}", means, {}, 1.1)


ANCHORS = [setting("vvc", 4, 10), setting("vvc", 8, 6), setting("av1", 4.5, 5.2, 27), setting("av1", 9, 3, 30)]


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return load_face_model(weights.find("face-model").path)


def face(model: FaceModel, count: int = 12) -> np.ndarray:
    expression = np.random.default_rng(5).normal(0, 0.5, (count, 64))
    shape = model.shape(np.zeros(80), expression)
    return np.asarray(shape * np.array([90, -90, -90]) + 128, np.float32)


def test_the_landmark_error_of_a_shift(model: FaceModel) -> None:
    points = face(model)
    there = np.ones(len(points), bool)
    moved = points + np.array([3, 4, 100], np.float32)
    scores, followed = landmark_scores(Points(moved, there), Points(points, there), model)
    eyes = [np.linalg.norm(row[33, :2] - row[263, :2]) for row in points]
    assert scores["landmarks"] == pytest.approx(np.mean([100 * 5 / distance for distance in eyes]), rel=1e-4)
    assert scores["lost"] == 0
    assert followed is not None
    assert np.corrcoef(followed.wanted["yaw"], followed.got["yaw"])[0, 1] > 0.99


def test_frames_without_a_face_are_counted_apart(model: FaceModel) -> None:
    points = face(model)
    there = np.arange(len(points)) % 4 > 0
    made = Points(np.where(there[:, None, None], points, 0), there)
    scores, _ = landmark_scores(made, Points(points, np.ones(len(points), bool)), model)
    assert scores["landmarks"] == pytest.approx(0, abs=1e-6)
    assert scores["lost"] == pytest.approx(25)
    held = made.held()
    assert np.array_equal(held[4], points[3])
    assert np.array_equal(held[0], points[1])


def test_signals_survive_a_file(model: FaceModel) -> None:
    points = face(model)
    there = np.ones(len(points), bool)
    _, followed = landmark_scores(Points(points, there), Points(points, there), model)
    again = followed_of(signals_of(followed))
    assert followed is not None
    assert again is not None
    assert np.allclose(again.got["mouth opening"], followed.got["mouth opening"], atol=1e-5)
    assert followed_of(signals_of(None)) is None


def test_the_entropy_of_tokens() -> None:
    tokens = np.random.default_rng(1).integers(-2, 3, (200, 3))
    slow = 0.0
    for column in tokens.T.tolist():
        counts = Counter(column)
        slow += sum(-math.log2(counts[value] / len(column)) for value in column)
    assert entropy_bits(tokens) == pytest.approx(slow)


def test_the_best_setting_within_the_rates_is_tested() -> None:
    settings = [setting("coefficients", 2, 3), setting("coefficients", 3, 2.5), setting("coefficients", 6, 1)]
    assert setting_under_test(settings) is settings[1]
    assert setting_under_test(settings[2:]) is settings[2]


def test_metrics_compare_with_half_the_error_at_the_lowest_rate() -> None:
    good = metrics_of(Figures([], [setting("coefficients", 3, 2.5), *ANCHORS]), "coefficients")
    assert all(one.met for one in good)
    assert [one.threshold for one in good if "half" in one.name] == ["<= 5.00", "<= 2.60"]
    poor = metrics_of(Figures([], [setting("coefficients", 3, 2.7), *ANCHORS]), "coefficients")
    assert [one.met for one in poor if "half" in one.name] == [True, False]
    slow = metrics_of(Figures([], [setting("coefficients", 3, 2.5, encode_fps=20), *ANCHORS]), "coefficients")
    assert [one.name.split(",")[0] for one in slow if not one.met] == ["encoding"]
    assert metrics_of(Figures([], ANCHORS), "imf") == []


def test_a_worse_setting_at_equal_rate_is_found() -> None:
    settings = [setting("coefficients", 3, 2.5), setting("coefficients", 9, 3.5)]
    rows = metrics_of(Figures([], [*settings, *ANCHORS]), "coefficients")
    equal = {one.name: one for one in rows if "equal rate" in one.name}
    assert [one.met for name, one in equal.items() if "av1" in name] == [False]
    assert [one.met for name, one in equal.items() if "vvc" in name] == [True]


def test_the_error_between_two_rates() -> None:
    others = [setting("av1", 4, 6), setting("av1", 6, 9), setting("av1", 16, 2)]
    assert error_at(8, others) == pytest.approx(4)
    assert error_at(1, others) == 6
    assert error_at(100, others) == 2
    assert frontier([(3, 1), (1, 2), (2, 3)]) == [(1, 2), (3, 1)]


def test_a_lower_psnr_is_said() -> None:
    figures = Figures([], [setting("coefficients", 3, 2.5, 24), *ANCHORS])
    assert "lower than that of 4" in pixel_remark(figures, "coefficients")
    assert "vvc at 4" in pixel_remark(figures, "coefficients")
    best = Figures([], [setting("coefficients", 3, 2.5, 40), *ANCHORS])
    assert "above that of every anchor" in pixel_remark(best, "coefficients")


def test_a_plot_is_valid_xml_with_a_point_for_each_setting() -> None:
    svg = rate_plot("a < b", {"x<": [(2.0, 1.0), (8.0, 0.5)], "y": [(3.0, 2.0)]})
    root = ElementTree.fromstring(svg)
    circles = [one for one in root.iter() if one.tag.endswith("circle") and one.get("r") == "4" and len(one)]
    assert len(circles) == 3
    across = [float(one.get("cx", "")) for one in circles]
    assert across[0] < across[2] < across[1]
    assert rate_plot("empty", {"x": []}) == ""
