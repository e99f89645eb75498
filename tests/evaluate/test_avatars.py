"""Judging avatars by planted vectors and by labels."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.sampling import sample
from facepipe.avatar.vector import AvatarVector
from facepipe.evaluate.avatars import (
    LONG_HAIR,
    box_colour,
    delta_e,
    labelled_looks,
    looks_of,
    planted_agreement,
    share_picked,
)


def test_an_avatar_agrees_with_itself_and_not_with_a_changed_one() -> None:
    planted = sample(7)
    same = planted_agreement(planted, planted)
    assert same["all"] == 1
    assert same["slider_error"] == same["colour_error"] == 0
    other = next(name for name in ASSETS["beard"] if name != planted.choices["beard"])
    changed = planted.changed({"nose_width": 1 - planted.sliders["nose_width"]}, choices={"beard": other})
    found = planted_agreement(changed, planted)
    assert found["beard"] == found["all"] == 0
    assert found["hair"] == 1
    away = abs(1 - 2 * planted.sliders["nose_width"]) / len(planted.sliders)
    assert found["slider_error"] == pytest.approx(away)


@pytest.mark.parametrize(
    ("hair", "length"), [("none", "none"), ("bun", "short"), ("long-wavy", "long"), ("crop", "short")]
)
def test_looks_of_avatars_and_labels_have_the_same_words(hair: str, length: str) -> None:
    vector = AvatarVector({}, {}, {"hair": hair, "glasses": "round", "beard": "none"})
    label = {"glasses": "clear", "beard": "none", "hair_length": "tied" if hair == "bun" else length}
    assert looks_of(vector) == labelled_looks(label)
    assert set(LONG_HAIR) < set(ASSETS["hair"])


def test_the_colour_of_a_box_and_its_difference() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[20:40, 50:70] = (255, 0, 0)
    red = box_colour(picture, "0.25,0.2,0.1,0.2")
    assert red is not None
    assert max(delta_e(red, np.array([53.24, 80.09, 67.20]))) < 0.5  # sRGB red in Lab
    assert box_colour(picture, "") is None
    # A pair of Sharma, Wu and Dalal 2005, table 1.
    blue, other = np.array([50.0, 2.6772, -79.7751]), np.array([50.0, 0.0, -82.7485])
    assert delta_e(blue, other) == pytest.approx((2.0425, 4.0011), abs=1e-4)


def test_picking_among_four_is_certain_for_twins_and_chance_for_strangers() -> None:
    random = np.random.default_rng(1)
    people = random.normal(size=(60, 40))
    assert share_picked(people, people, among=4, draws=5, seed=1) == 1
    strangers = share_picked(random.normal(size=(60, 40)), people, among=4, draws=40, seed=1)
    assert strangers == pytest.approx(0.25, abs=0.12)
