"""The mapper on observations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.vector import CONTINUOUS
from facepipe.checkpoint import save_network
from facepipe.creation.mapping import KIND, SEEN_PIXELS, Mapper, close_matrix, inputs_of
from facepipe.creation.observation import SIDE_PIXELS, Observation
from facepipe.errors import InputError
from facepipe.models.avatar_mapper import AvatarMapper, MapperConfig
from tests.face.faces import face_model

OPTIONS = tuple(len(options) for options in ASSETS.values())
SMALL: dict[str, Any] = {"widths": (4, 6, 6, 8, 8), "depths": (0, 1, 1, 0, 0), "squeezed": 2, "points_width": 8}


def observation() -> Observation:
    random = np.random.default_rng(2)
    coarse = random.integers(0, 256, (32, 32, 3)).astype(np.uint8)
    points = 41 * face_model().mean + (127.5, 140, 0)
    flat = np.ones((SIDE_PIXELS, SIDE_PIXELS), np.float32)
    picture = cv2.resize(coarse, (SIDE_PIXELS, SIDE_PIXELS), interpolation=cv2.INTER_CUBIC)
    pixels, neutral = np.asarray(picture, np.uint8), face_model().mean.astype(np.float32)
    return Observation(pixels, 0.5 * flat, flat, points.astype(np.float32), neutral)


def test_the_close_crop_shows_the_middle_of_the_face() -> None:
    seen = observation()
    wide, close, points = inputs_of(seen)
    assert wide.shape == (5, SEEN_PIXELS, SEEN_PIXELS)
    assert close.shape == (3, SEEN_PIXELS, SEEN_PIXELS)
    assert np.allclose(wide[3], 0, atol=1e-6)
    assert np.allclose(wide[4], 1)
    column, row = 50, 80
    matrix = close_matrix(SEEN_PIXELS)
    place = np.linalg.solve(matrix[:, :2], np.array([column, row]) - matrix[:, 2])
    value = cv2.getRectSubPix(seen.picture, (1, 1), (float(place[0]), float(place[1])))[0, 0]
    assert np.allclose(127.5 * (close[:, row, column] + 1), value, atol=3)
    assert abs(points).max() < 8
    assert points.std() == pytest.approx(1, abs=0.7)


def saved(path: Path, config: MapperConfig) -> Path:
    torch.manual_seed(3)
    save_network(AvatarMapper(config).eval(), path, kind=KIND)
    return path


def test_a_saved_mapper_gives_a_relaxed_vector_and_parts(tmp_path: Path) -> None:
    mapper = Mapper(saved(tmp_path / "m.safetensors", MapperConfig(CONTINUOUS, OPTIONS, 4, 8, 16, **SMALL)))
    mapped = mapper.map(observation())
    assert mapped.relaxed.continuous.shape == (CONTINUOUS,)
    assert mapped.parts is not None
    assert mapped.parts.shape == (9, SIDE_PIXELS, SIDE_PIXELS)
    assert np.allclose(mapped.parts.sum(0), 1, atol=1e-5)
    assert 0 <= mapped.drawn <= 1
    again = mapper.map(observation())
    assert np.array_equal(again.relaxed.continuous, mapped.relaxed.continuous)
    with pytest.raises(InputError, match="W\\+ code needs a mapper"):
        mapper.map_code(np.zeros((18, 512), np.float32))


def test_a_mapper_of_codes_takes_codes_only(tmp_path: Path) -> None:
    config = MapperConfig(CONTINUOUS, OPTIONS, 18, 512, 8, portrait=False)
    mapper = Mapper(saved(tmp_path / "w.safetensors", config))
    code = np.random.default_rng(1).normal(size=(18, 512)).astype(np.float32)
    mapped = mapper.map_code(code)
    assert mapped.parts is None
    assert not np.array_equal(mapped.relaxed.continuous, mapper.map_code(2 * code).relaxed.continuous)
    for wrong in (np.zeros((14, 512)), np.full((18, 512), np.nan)):
        with pytest.raises(InputError, match="18 x 512 finite numbers"):
            mapper.map_code(wrong)
    with pytest.raises(InputError, match="takes W\\+ codes"):
        mapper.map(observation())
