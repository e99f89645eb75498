"""Morph targets in place of the rig: lids of files against those of `pose`."""

from __future__ import annotations

import numpy as np
import pytest

from facepipe.avatar.avatar import build
from facepipe.avatar.sliders import NEUTRAL
from facepipe.avatar.units import UNITS
from facepipe.avatar.vector import AvatarVector
from facepipe.export.rigging import WEIGHTS, rigged_parts
from tests.export.avatar_head import compiled_head, needs_head

pytestmark = needs_head
WORST_ERROR = 0.02
"""Decimetres."""


def full_range(seed: int) -> AvatarVector:
    random = np.random.default_rng(seed)
    return AvatarVector({name: float(random.random()) for name in NEUTRAL})


@pytest.mark.parametrize("seed", [0, 1, 4, 7])
def test_lids_of_files_stay_out_of_the_eyeballs(seed: int) -> None:
    """While a lid moves straight from open to closed, no vertex lies deeper in the eyeball than at rest."""
    avatar = build(full_range(seed), compiled_head())
    skin = next(rigged.part for rigged in rigged_parts(avatar) if rigged.part.name == "skin")
    for side, lids in avatar.rig.lids.items():
        unit, centre = f"eyeBlink{side.capitalize()}", avatar.head.point(f"eye-{side}")
        least = np.minimum(np.linalg.norm(skin.vertices - centre, axis=1), avatar.head.eye_radius)
        for weight in WEIGHTS:
            places = skin.vertices.astype(np.float64)
            places[skin.morphs[unit].vertices] += weight * skin.morphs[unit].offsets
            lids_in_front = lids.sliding[places[lids.sliding, 2] > centre[2]]
            away = np.linalg.norm(places - centre, axis=1)
            assert (least - away)[lids_in_front].max() < 2e-4
            row = np.zeros(len(UNITS))
            row[UNITS.index(unit)] = weight
            assert np.abs(places - avatar.pose(row)[0]).max() < WORST_ERROR
