"""The search from a relaxed vector to a strict one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.avatar import build
from facepipe.avatar.framing import PLAIN, face_camera
from facepipe.avatar.head import Head
from facepipe.avatar.mesh import PARTS
from facepipe.avatar.rasteriser import render
from facepipe.avatar.vector import NUMBERS, AvatarVector, RelaxedVector
from facepipe.creation import search
from facepipe.creation.creation import difference, picture_of
from facepipe.creation.drawing import drawing
from facepipe.creation.score import Score
from facepipe.creation.search import Conversion, convert, gain
from facepipe.creation.target import PHOTOGRAPH, STYLISED
from facepipe.evaluate.avatars import planted_agreement
from tests.creation.planted import Planted, target_of

PLANTED = AvatarVector(
    {"hair_volume": 0.6, "glasses_size": 0.4},
    {"hair": (0.3, 0.6)},
    {"hair": "bob", "beard": "none", "glasses": "square", "brows": "thick", "hat": "none", "earrings": "none"},
)
WRONG = {"hair": "pixie", "glasses": "round", "brows": "thin"}


def doubtful(vector: AvatarVector, wrong: Mapping[str, str], noise: float) -> RelaxedVector:
    """A relaxed vector whose most probable options are `wrong`; the right ones have a probability of 0.3."""
    choices = {}
    for type_, options in ASSETS.items():
        shares = np.full(len(options), 0.001)
        names = list(options)
        shares[names.index(wrong.get(type_, vector.choices[type_]))] = 0.6
        shares[names.index(vector.choices[type_])] += 0.3
        choices[type_] = (shares / shares.sum()).astype(np.float32)
    moved = vector.numbers() + noise * np.random.default_rng(5).normal(size=len(NUMBERS))
    return RelaxedVector(np.clip(moved, 0, 1), choices)


@pytest.fixture(scope="module")
def planted(head: Head) -> Planted:
    avatar = build(PLANTED, head)
    return Planted(0, PLANTED, render(avatar.parts, face_camera(avatar), (256, 256), PLAIN))


@pytest.fixture(scope="module")
def conversion(planted: Planted, head: Head) -> Conversion:
    return convert(target_of(planted), doubtful(PLANTED, WRONG, 0.1), head, threads=1)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches once only."""
    monkeypatch.setattr(search, "ROUNDS", 0)


@pytest.mark.slow
def test_finds_the_planted_options_and_moves_numbers_towards_theirs(conversion: Conversion, head: Head) -> None:
    vectors = (conversion.argmax, conversion.vector)
    before, after = (planted_agreement(vector, PLANTED)["slider_error"] for vector in vectors)
    far, near = (difference(picture_of(build(vector, head)), conversion.target) for vector in vectors)
    assert dict(conversion.argmax.choices) == {**PLANTED.choices, **WRONG}
    assert dict(conversion.vector.choices) == dict(PLANTED.choices)
    assert after < 0.75 * before
    assert near < 0.5 * far
    assert gain(conversion) > 0.5


@pytest.mark.slow
def test_result_does_not_depend_on_threads(planted: Planted, conversion: Conversion, head: Head) -> None:
    other = convert(target_of(planted), doubtful(PLANTED, WRONG, 0.1), head, threads=3)
    assert other.vector == conversion.vector
    assert (other.score, other.trace, other.renders) == (conversion.score, conversion.trace, conversion.renders)


@pytest.mark.slow
def test_trace_ends_at_the_result_and_never_gets_worse(planted: Planted, conversion: Conversion, head: Head) -> None:
    scores = [conversion.argmax_score, *(step.score for step in conversion.trace)]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] == conversion.score
    with drawing(head, 1) as canvas:
        picture = canvas.draw([conversion.vector])[0]
    scored = Score(target_of(planted), doubtful(PLANTED, WRONG, 0.1))
    assert scored(conversion.vector, picture) == pytest.approx(conversion.score)


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_numbers_at_the_ends_of_their_range_stay_within_it(head: Head) -> None:
    extreme = PLANTED.with_numbers(np.where(np.arange(len(NUMBERS)) % 2, 0.0, 1.0))
    avatar = build(extreme, head)
    planted = Planted(0, extreme, render(avatar.parts, face_camera(avatar), (256, 256), PLAIN))
    numbers = convert(target_of(planted), doubtful(extreme, {}, 0.2), head).vector.numbers()
    assert (numbers >= 0).all()
    assert (numbers <= 1).all()


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_finds_a_shifted_picture(planted: Planted, head: Head) -> None:
    with drawing(head, 1) as canvas:
        picture = canvas.draw([PLANTED], [np.array([2.0, -3.0, 2.0, 1.0])])[0]
    shifted = replace(target_of(planted), picture=picture.colour, trust=STYLISED)
    start = doubtful(PLANTED, {}, 0.03)
    held = convert(replace(shifted, trust=replace(STYLISED, place=None)), start, head)
    free = convert(shifted, start, head)
    true = PLANTED.numbers()
    assert abs(free.vector.numbers() - true).mean() < 0.8 * abs(held.vector.numbers() - true).mean()


def test_keeps_a_right_vector(planted: Planted, head: Head) -> None:
    target = replace(target_of(planted), trust=PHOTOGRAPH)
    conversion = convert(target, PLANTED.relaxed(), head)
    assert conversion.vector == conversion.argmax == PLANTED
    assert conversion.score == pytest.approx(0, abs=1e-9)


def test_outlines_of_a_photograph_find_hair_and_light_does_not_count(planted: Planted, head: Head) -> None:
    numbers = [PARTS.index(name) + 1 for name in ("hair", "skin")]
    maps = {
        name: (planted.picture.parts == number).astype(np.float32)
        for name, number in zip(("hair", "skin"), numbers, strict=True)
    }
    darker = (0.7 * planted.picture.colour).astype(np.uint8)
    target = replace(target_of(planted), trust=PHOTOGRAPH, parts=maps, picture=darker)
    found = convert(target, doubtful(PLANTED, {"hair": "afro"}, 0.0), head)
    assert found.argmax.choices["hair"] == "afro"
    assert found.vector.choices["hair"] == "bob"
    assert found.vector.colours == PLANTED.colours


def test_pictures_are_those_of_whole_avatars(planted: Planted, head: Head) -> None:
    with drawing(head, 2) as canvas:
        pictures = canvas.draw([PLANTED, PLANTED.changed(choices=WRONG), PLANTED])
        assert canvas.count == 3
    for picture in (pictures[0], pictures[2]):
        np.testing.assert_array_equal(picture.colour, planted.picture.colour)
        np.testing.assert_array_equal(picture.parts, planted.picture.parts)
    assert (pictures[1].colour != planted.picture.colour).any()
