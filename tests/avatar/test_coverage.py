"""Coverage: triangles that share edges cover each sample once, and clipping opens no cracks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.avatar.clipping import Pieces, is_hit, pieces
from facepipe.avatar.coverage import NOTHING, OFFSETS, REACH_PIXELS, SAMPLES, UNITS, cover, project

Doubles = NDArray[np.float64]
LENS = (32.0, 16.0, 16.0)
NEAR = 0.01
UNLIMITED = np.zeros((0, 0, 0), np.float32)


def net(random: np.random.Generator, cells: int, jitter: float) -> tuple[Doubles, NDArray[np.int32]]:
    """Return a wavy net in front of the camera that is larger than the picture; its windings are mixed."""
    x, y = np.meshgrid(np.linspace(-1, 1, cells + 1), np.linspace(-1, 1, cells + 1))
    points = np.stack([x.ravel(), y.ravel(), np.full(x.size, -1.0)], 1)
    points[:, :2] += random.uniform(-jitter, jitter, (len(points), 2)) / cells
    points *= random.uniform(1, 2, (len(points), 1))  # along the ray, so that the net stays a net in the picture
    index = np.arange(x.size).reshape(cells + 1, cells + 1)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, 1:].ravel(), index[1:, :-1].ravel()
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, d, c], 1)]).astype(np.int32)
    return points, triangles[random.permutation(len(triangles))]


def owners(some: Pieces, count: int, *, side: int = 32, top: int = 0, rows: int = 32) -> NDArray[np.int32]:
    nearest, owner = np.zeros((rows, side, SAMPLES), np.float32), np.full((rows, side, SAMPLES), NOTHING, np.int32)
    cover(*some, np.ones(count, bool), top, nearest, owner, UNLIMITED)
    return owner


def coverings(points: Doubles, triangles: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return how many triangles cover each sample, each drawn alone."""
    total = np.zeros((32, 32, SAMPLES), int)
    for t in range(len(triangles)):
        total += owners(pieces(points, triangles[t : t + 1], 0, LENS, NEAR), 1) != NOTHING
    return total


@pytest.mark.parametrize("seed", range(4))
def test_a_net_covers_each_sample_once(seed: int) -> None:
    points, triangles = net(np.random.default_rng(seed), 9, 0.3)
    assert (coverings(points, triangles) == 1).all()


def test_edges_through_samples_belong_to_one_triangle() -> None:
    """Corners lie at samples and edges run through them, also along rows and columns."""
    points, triangles = net(np.random.default_rng(0), 8, 0.0)
    points[:, :2] *= 1.3
    places = np.rint((points[:, :2] / -points[:, 2:] * (1, -1) * 32 + 16) * 4) / 4
    on_samples = places + np.array(OFFSETS[0]) / UNITS - 0.25
    points[:, :2] = (on_samples - 16) / 32 * (1, -1) * -points[:, 2:]
    assert (coverings(points, triangles) == 1).all()


def test_clipped_triangles_leave_no_cracks() -> None:
    """Some corners of a net that runs past the camera lie behind it, others a thousand pictures away."""
    points, triangles = net(np.random.default_rng(3), 7, 0.2)
    index = np.arange(64).reshape(8, 8)
    points[index[:, 0]] += np.array((-3e6, 0.0, -1.0))
    points[index[-1]] *= (1.0, 1.0, 0.0)
    points[index[-1], 1:] = 40.0, 3.0
    places, _ = project(points, LENS, NEAR, REACH_PIXELS)
    assert (places[:, 0] > 1 << 39).sum() > 8
    covered = coverings(points, triangles)
    assert covered.max() == 1
    assert (covered == 1).mean() > 0.8
    rows = covered.any((1, 2))
    assert (covered[rows] == 1).mean() > 0.98


def test_bands_are_rows_of_the_whole() -> None:
    some = pieces(*net(np.random.default_rng(1), 6, 0.3), 0, LENS, NEAR)
    whole = owners(some, 72)
    for top, rows in ((0, 5), (5, 20), (25, 7)):
        np.testing.assert_array_equal(owners(some, 72, top=top, rows=rows), whole[top : top + rows])


def test_the_nearest_wins_in_any_order() -> None:
    random = np.random.default_rng(2)
    points = random.uniform((-1, -1, -3), (1, 1, -1), (60, 3))
    triangles = np.arange(60, dtype=np.int32).reshape(-1, 3)
    there = owners(pieces(points, triangles, 0, LENS, NEAR), 20)
    back = owners(pieces(points, triangles[::-1].copy(), 0, LENS, NEAR), 20)
    np.testing.assert_array_equal(there, np.where(back == NOTHING, NOTHING, 19 - back))
    assert len(np.unique(there)) > 10


def test_layers_lie_behind_each_other() -> None:
    """With the nearest surfaces as limit, the next ones are found."""
    points = np.array([(x, y, z) for z in (-3, -2, -1) for x, y in ((-9, -9), (9, -9), (0, 18))], float)
    some = pieces(points, np.arange(9, dtype=np.int32).reshape(3, 3), 0, LENS, NEAR)
    limit = np.full((32, 32, SAMPLES), np.inf, np.float32)
    for expected in (2, 1, 0, NOTHING):
        nearest, owner = np.zeros_like(limit), np.full(limit.shape, NOTHING, np.int32)
        cover(*some, np.ones(3, bool), 0, nearest, owner, limit)
        assert (owner == expected).all()
        limit = nearest


def test_hits_are_of_rows() -> None:
    points = np.array([(-0.1, 0.2, -1), (0.1, 0.2, -1), (0, 0.3, -1)], float)
    some = pieces(points, np.array([(0, 1, 2)], np.int32), 0, LENS, NEAR)
    assert [is_hit(some, top, 8) for top in (0, 8, 16, 24)] == [True, True, False, False]
    assert not is_hit(pieces(points, np.zeros((0, 3), np.int32), 0, LENS, NEAR), 0, 32)
