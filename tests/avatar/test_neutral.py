"""Neutral avatars."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.avatar import build
from facepipe.avatar.framing import face_camera
from facepipe.avatar.head import Head
from facepipe.avatar.neutral import KEPT_BODIES, NeutralAvatar, NeutralBuilder
from facepipe.avatar.sampling import sample
from facepipe.avatar.vector import NUMBERS, AvatarVector

DRESSED = AvatarVector(
    {"brow_thickness": 0.7, "hair_volume": 0.6},
    {},
    {"hair": "bob", "beard": "short", "glasses": "round", "brows": "soft", "hat": "none", "earrings": "drop"},
)


def assert_built(avatar: NeutralAvatar, vector: AvatarVector, head: Head) -> None:
    whole = build(vector, head)
    assert face_camera(avatar) == face_camera(whole)
    for made, part in zip(avatar.parts, whole.parts, strict=True):
        assert (made.name, made.material) == (part.name, part.material)
        np.testing.assert_array_equal(made.vertices, part.vertices)
        np.testing.assert_array_equal(made.triangles, part.triangles)
        np.testing.assert_array_equal(made.colours, part.colours)
        assert part.name in {"eye-left", "eye-right"} or not made.morphs


@pytest.mark.parametrize("number", range(len(NUMBERS)), ids=NUMBERS)
def test_reuses_only_parts_that_a_number_leaves_as_they_are(number: int, head: Head) -> None:
    builder = NeutralBuilder(head)
    builder.build(DRESSED)
    values = DRESSED.numbers()
    values[number] += 0.2 if values[number] < 0.7 else -0.2
    moved = DRESSED.with_numbers(values)
    assert_built(builder.build(moved), moved, head)


def test_reuses_only_parts_that_a_choice_leaves_as_they_are(head: Head) -> None:
    builder = NeutralBuilder(head)
    for type_, options in ASSETS.items():
        for name in options:
            builder.build(DRESSED)
            changed = DRESSED.changed(choices={type_: name})
            assert_built(builder.build(changed), changed, head)


def test_equals_whole_avatars_in_any_order_and_on_several_threads(head: Head) -> None:
    vectors = [sample(seed) for seed in range(KEPT_BODIES + 2)] * 2
    builder = NeutralBuilder(head)
    with ThreadPoolExecutor(4) as threads:
        for avatar, vector in zip(threads.map(builder.build, vectors), vectors, strict=True):
            assert_built(avatar, vector, head)
