"""Scores of pictures against targets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facepipe.avatar.head import Head
from facepipe.avatar.vector import NUMBERS, AvatarVector
from facepipe.creation.score import EDGES, LEAST, LEVELS, SURENESS, Score, difference, distance
from facepipe.creation.target import PHOTOGRAPH, Floats, Target, Trust
from tests.creation.planted import Planted, plant, target_of


@pytest.fixture(scope="module")
def planted(head: Head) -> Planted:
    return plant(3_100_000, head)


def slow_distance(first: Floats, second: Floats, inside: Floats) -> float:
    """The distance pixel by pixel, from pictures that are halved before they are compared."""
    share = inside[..., None] / np.float32(255)
    first, second = first * share, second * share
    total = 0.0
    for _ in range(LEVELS):
        rows, columns = first.shape[:2]
        apart = first.astype(float) - second
        across = [abs(apart[y, x + 1] - apart[y, x]).mean() for y in range(rows) for x in range(columns - 1)]
        down = [abs(apart[y + 1, x] - apart[y, x]).mean() for y in range(rows - 1) for x in range(columns)]
        total += abs(apart).mean() + EDGES * (np.mean(across) + np.mean(down))
        first, second = (
            picture.reshape(rows // 2, 2, columns // 2, 2, 3).mean(axis=(1, 3)) for picture in (first, second)
        )
    return total / LEVELS


def test_distance_equals_the_slow_one() -> None:
    random = np.random.default_rng(0)
    first, second = random.integers(0, 256, (2, 16, 32, 3)).astype(np.uint8)
    inside = random.uniform(0, 1, (16, 32)).astype(np.float32)
    fast = distance(difference(first, second, inside))
    assert fast == pytest.approx(slow_distance(first.astype(np.float32), second.astype(np.float32), inside), rel=1e-5)


@pytest.mark.parametrize("trust", [Trust(pixels=1), PHOTOGRAPH, Trust(silhouette=1, colours=1)])
def test_score_of_the_true_vector_is_zero(trust: Trust, planted: Planted) -> None:
    hair = (planted.picture.parts == 9).astype(np.float32)
    target = replace(target_of(planted), trust=trust, parts={"hair": hair})
    assert Score(target, planted.vector.relaxed())(planted.vector, planted.picture) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("trust", [Trust(pixels=1), Trust(silhouette=1), Trust(colours=1)])
def test_each_term_sees_other_hair(trust: Trust, planted: Planted, head: Head) -> None:
    other = plant(3_100_001, head)
    hair = (planted.picture.parts == 9).astype(np.float32)
    score = Score(replace(target_of(planted), trust=trust, parts={"hair": hair}), planted.vector.relaxed())
    assert score(planted.vector, other.picture) > 0.01


def test_what_is_not_inside_does_not_count(planted: Planted, head: Head) -> None:
    other = plant(3_100_001, head)
    target = replace(target_of(planted), trust=Trust(1, 1), inside=np.zeros((256, 256), np.float32))
    assert Score(target, planted.vector.relaxed())(planted.vector, other.picture) == 0


def test_improbable_options_and_distant_numbers_cost(planted: Planted) -> None:
    score = Score(replace(target_of(planted), trust=Trust(options=1, continuous=1)), planted.vector.relaxed())
    changed = planted.vector.changed(choices={"hair": "afro" if planted.vector.choices["hair"] != "afro" else "bob"})
    assert score.prior(changed) == pytest.approx(-SURENESS["hair"] * np.log(LEAST), rel=1e-5)
    moved = planted.vector.with_numbers(np.clip(planted.vector.numbers(), 0.2, 0.8) + 0.1)
    away = moved.numbers() - planted.vector.numbers()
    assert score.prior(moved) == pytest.approx((away**2).mean())


def test_refuses_planes_of_another_size(planted: Planted) -> None:
    target = target_of(planted)
    with pytest.raises(ValueError, match="hair"):
        replace(target, parts={"hair": np.zeros((128, 128), np.float32)})
    with pytest.raises(ValueError, match="128"):
        Target(target.picture[:128], target.trust, target.matte, target.inside)


def test_numbers_name_the_continuous_part() -> None:
    vector = AvatarVector({"nose_width": 0.25}, {"hair": (0.125, 0.375)})
    named = dict(zip(("nose_width", "hair.lightness", "hair.tone"), (0.25, 0.125, 0.375), strict=True))
    assert {name: vector.numbers()[NUMBERS.index(name)] for name in named} == named
    assert vector.with_numbers(vector.numbers()) == vector
