"""Sliders: what each one moves, and how."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.closing import LID_RING, rim_of
from facepipe.avatar.head import Head
from facepipe.avatar.mesh import Reals
from facepipe.avatar.shaping import Shaper, person_shares, shaper_of
from facepipe.avatar.sliders import NEUTRAL, SLIDERS, STRAIGHT
from facepipe.avatar.units import UNITS
from facepipe.avatar.vector import AvatarVector

SHAPES = [slider.name for slider in SLIDERS if slider.less or slider.more]
OF_ENGINE = ["style", "age", "gender", "weight", "african", "asian"]
REGION = {
    "forehead": ("forehead", "scalp"),
    "brow": ("brow-left", "brow-right", "forehead"),
    "eye": ("lid-left", "lid-right", "socket-left", "socket-right"),
    "epicanthus": ("lid-left", "lid-right"),
    "nose": ("nose", "upper-lip"),
    "nostrils": ("nose", "upper-lip"),
    "mouth": ("lips", "mouth-cavity"),
    "upper_lip": ("lips", "upper-lip"),
    "lower_lip": ("lips", "chin"),
    "cupids": ("lips",),
    "laugh": ("cheek-left", "cheek-right", "upper-lip"),
    "cheek": ("cheek-left", "cheek-right"),
    "chin": ("chin", "jaw"),
    "jaw": ("jaw", "chin", "cheek-left", "cheek-right"),
    "double": ("neck", "chin", "jaw"),
    "ear": ("ear-left", "ear-right"),
    "neck": ("neck",),
}
"""Regions by the beginning of the names of sliders that act on a part of the face."""


@pytest.fixture(scope="module")
def shaper(head: Head) -> Shaper:
    return shaper_of(head)


def natural(**sliders: float) -> AvatarVector:
    return AvatarVector({"style": 0.0, **sliders})


def skin_of(shaper: Shaper, vector: AvatarVector) -> Reals:
    return shaper.vertices(vector)[shaper.head.spans["skin"]].astype(np.float64)


def regions_of(name: str) -> tuple[str, ...]:
    return next((regions for start, regions in REGION.items() if name.startswith(start)), ())


@pytest.mark.parametrize("name", [name for name in SHAPES if regions_of(name)])
def test_slider_moves_its_own_region_most(shaper: Shaper, name: str) -> None:
    """No part of the skin moves on average more than the region that the slider is named after."""
    low, high = (skin_of(shaper, natural(**{name: value})) for value in (0.0, 1.0))
    moved = np.linalg.norm(high - low, axis=1)
    regions = shaper.head.template.regions
    means = {region: moved[vertices].mean() for region, vertices in regions.items() if region != "face"}
    if not name.startswith(("neck", "double")):
        means.pop("neck")
    # Sides are equal but for the last bits.
    best = max(means.values())
    assert max(means[region] for region in regions_of(name)) > 0.999 * best, sorted(means, key=means.__getitem__)[-3:]
    assert best > 0.001


@pytest.mark.parametrize("name", [*SHAPES, *OF_ENGINE])
def test_slider_is_monotone(shaper: Shaper, name: str) -> None:
    """On either side of its neutral value, every vertex moves straight on, and none when the slider stands still."""
    neutral = skin_of(shaper, natural())
    values = [0.0, 0.25, 0.5, 0.75, 1.0] if name in OF_ENGINE else [NEUTRAL[name] * share for share in (0, 0.5, 1)]
    steps = np.diff([skin_of(shaper, natural(**{name: value})) for value in values], axis=0)
    ways = (steps[1:] * steps[:-1]).sum(axis=2)
    lengths = np.linalg.norm(steps[1:], axis=2) * np.linalg.norm(steps[:-1], axis=2)
    # The mean person of a middle age is no mean of child and old, so these ways bend; all others are straight.
    if name not in ("age", "weight", "gender", "style"):
        assert (ways > 0.99 * lengths - 1e-7).all()
    assert (np.linalg.norm(steps, axis=2).max(axis=1) > 1e-3).all()
    assert np.array_equal(neutral, skin_of(shaper, natural(**({} if name == "style" else {name: NEUTRAL[name]}))))


def test_shape_is_the_plain_sum_of_targets(shaper: Shaper) -> None:
    """Before lips are closed and the neck is tucked in, which leave the forehead alone."""
    random = np.random.default_rng(7)
    names = [name for name in SHAPES if name not in OF_ENGINE]
    values = {name: float(random.random()) for name in names}
    head = shaper.head
    expected = head.vertices.astype(np.float64)
    for slider in SLIDERS:
        if slider.name not in values:
            continue
        value = values[slider.name]
        below = value < slider.neutral
        ends = [0, slider.neutral * (1 - STRAIGHT), slider.neutral, slider.neutral + STRAIGHT * (1 - slider.neutral), 1]
        share = np.interp(value, ends, [slider.reach[0], STRAIGHT, 0, STRAIGHT, slider.reach[1]])
        amounts = slider.less if below else slider.more
        for pattern, amount in amounts.items():
            for target in {pattern.replace("*", "l"), pattern.replace("*", "r")}:
                whole = np.zeros_like(expected)
                whole[head.targets[target].vertices] = head.targets[target].offsets
                if target.startswith("neck/"):
                    whole -= whole[head.joint("joint-head")]
                expected += amount * share * whole
    forehead = head.template.regions["forehead"]
    assert np.abs(expected[forehead] - shaper.vertices(natural(**values))[forehead]).max() < 1e-5


def test_sliders_are_linear_but_for_their_ends() -> None:
    """Values from 0.2 to 0.8 mean the same whatever an end reaches, and no value equals another."""
    for slider in SLIDERS:
        low, high = slider.neutral * (1 - STRAIGHT), slider.neutral + STRAIGHT * (1 - slider.neutral)
        assert np.allclose(slider.share(low), -STRAIGHT)
        assert np.allclose(slider.share(high), STRAIGHT)
        assert (slider.share(0.0), slider.share(1.0)) == pytest.approx((-slider.reach[0], slider.reach[1]))
        assert (np.diff([slider.share(float(value)) for value in np.linspace(0, 1, 101)]) > 0).all()


def test_people_are_mixed_by_shares_that_sum_to_one(shaper: Shaper) -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        shares = person_shares(AvatarVector({name: float(random.random()) for name in NEUTRAL}))
        assert shares.min() >= 0
        assert abs(shares.sum() - 1) < 1e-12
    neutral = person_shares(AvatarVector())
    assert np.allclose(neutral[:, 1], 1 / 6)


def test_equal_vectors_give_equal_bits(head: Head) -> None:
    vector = AvatarVector(dict.fromkeys(NEUTRAL, 0.3))
    assert np.array_equal(Shaper(head).vertices(vector), Shaper(head).vertices(vector))


def test_style_enlarges_eyes_and_makes_the_nose_smaller(shaper: Shaper) -> None:
    natural_head, cartoon = (shaper.shape(AvatarVector({"style": style}))[0] for style in (0.0, 1.0))
    assert cartoon.eye_radius > 1.4 * natural_head.eye_radius
    length = {
        head: float(np.linalg.norm(head.point("nose-bridge") - head.point("nose-base")))
        for head in (natural_head, cartoon)
    }
    assert length[cartoon] < 0.95 * length[natural_head]


def test_lids_meet_on_every_shape(shaper: Shaper) -> None:
    """With a full blink the edge of the upper lid lies on that of the lower one, on 30 random heads."""
    template = shaper.head.template
    for seed in range(30):
        random = np.random.default_rng(seed)
        shaped, _ = shaper.shape(AvatarVector({name: float(random.random()) for name in NEUTRAL}))
        for side in ("left", "right"):
            rim = rim_of(template, f"lid-{side}", LID_RING)
            blink = shaped.units[UNITS.index(f"eyeBlink{side.capitalize()}")]
            shares = np.linspace(0.15, 0.85, 15)
            lower = rim.along("lower", shaped.vertices, shares)
            opened = rim.along("upper", shaped.vertices, shares)[:, 1] - lower[:, 1]
            closed = rim.along("upper", shaped.vertices + blink, shares)[:, 1] - lower[:, 1]
            assert opened.max() > 0.03
            assert np.abs(closed).max() < 0.1 * opened.max() + 0.004


def test_lips_meet_on_every_shape(shaper: Shaper) -> None:
    for seed in range(30):
        random = np.random.default_rng(seed)
        skin = skin_of(shaper, AvatarVector({name: float(random.random()) for name in NEUTRAL}))
        rim = rim_of(shaper.head.template, "mouth", 2)
        shares = np.linspace(0.1, 0.9, 17)
        gap = rim.along("upper", skin, shares) - rim.along("lower", skin, shares)
        assert gap[:, 1].max() < 0.003
        assert gap[:, 1].min() > -0.02


def test_first_options_are_none_or_sensible() -> None:
    assert all(options for options in ASSETS.values())
