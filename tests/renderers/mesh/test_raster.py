"""The rasteriser against a slow reference that tests every triangle at every pixel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.models import compiled
from facepipe.renderers.mesh.raster import NOTHING, rasterise

Floats = NDArray[np.float32]


def slow(
    vertices: Floats, triangles: NDArray[np.int32], values: Floats, height: int, width: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    depth = np.full((height, width), np.inf)
    out = np.zeros((height, width, values.shape[1]))
    for row in range(height):
        for column in range(width):
            for corners in triangles:
                matrix = np.concatenate([vertices[corners, :2].T.astype(float), np.ones((1, 3))])
                if abs(np.linalg.det(matrix)) < 1e-6:
                    continue
                weights = np.linalg.solve(matrix, [column, row, 1])
                z = weights @ vertices[corners, 2]
                if weights.min() >= -1e-5 and z < depth[row, column]:
                    depth[row, column], out[row, column] = z, weights @ values[corners]
    return out, depth


def scene(seed: int) -> tuple[Floats, NDArray[np.int32], Floats]:
    random = np.random.default_rng(seed)
    vertices = random.uniform((-8, -8, 0), (40, 32, 20), (24, 3)).astype(np.float32)
    return vertices, random.integers(0, 24, (30, 3)).astype(np.int32), random.normal(0, 50, (24, 4)).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_results_equal_those_of_the_slow_reference(seed: int) -> None:
    vertices, triangles, values = scene(seed)
    out, depth, owner = rasterise(vertices, triangles, values, height=24, width=32)
    expected, expected_depth = slow(vertices, triangles, values, 24, 32)
    # A pixel on an edge may fall to either side.
    same = np.isclose(depth, expected_depth, atol=1e-3)
    assert (~same).mean() < 0.004
    assert np.abs(out - expected)[same].max() < 0.02
    assert ((owner == NOTHING) == np.isinf(depth)).all()


def test_neighbours_leave_no_hole() -> None:
    """A fan of slivers with edges through pixel centres leaves no gap."""
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    ring = np.stack([16 + 40 * np.cos(angles), 16 + 40 * np.sin(angles), np.zeros(64)], axis=1)
    vertices = np.concatenate([[[16, 16, 0]], ring]).astype(np.float32)
    fan = np.array([[0, 1 + i, 1 + (i + 1) % 64] for i in range(64)], np.int32)
    out, _, owner = rasterise(vertices, fan, vertices[:, :2], height=33, width=33)
    assert (owner != NOTHING).all()
    y, x = np.mgrid[:33, :33]
    np.testing.assert_allclose(out, np.stack([x, y], axis=-1), atol=1e-3)


def test_degenerate_triangles_are_skipped() -> None:
    vertices = np.array([[1, 1, 0], [5, 5, 0], [9, 9, 0]], np.float32)
    out, depth, owner = rasterise(vertices, np.array([[0, 1, 2], [0, 0, 1]], np.int32), vertices, height=12, width=12)
    assert (owner == NOTHING).all()
    assert np.isinf(depth).all()
    assert not out.any()


def test_vertices_that_are_not_finite_are_refused() -> None:
    vertices = np.array([[1, 1, 0], [5, np.nan, 0], [9, 1, 0]], np.float32)
    with pytest.raises(ValueError, match="finite"):
        rasterise(vertices, np.array([[0, 1, 2]], np.int32), vertices, height=12, width=12)


def test_kernels_compile_without_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with read-only packages and a user without a home folder."""

    def njit(*, nogil: bool, cache: bool = False) -> Callable[[object], object]:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(compiled, "_uncached", [])
    monkeypatch.setattr(compiled, "njit", njit)

    def nothing() -> None: ...

    assert compiled.compiled(nothing) is nothing


def test_triangles_outside_of_the_picture_are_skipped() -> None:
    vertices = np.array([[-50, -50, 0], [-40, -50, 0], [-50, -40, 0], [1e4, 0, 1], [1e4 + 9, 0, 1], [1e4, 9, 1]])
    _, _, owner = rasterise(
        vertices.astype(np.float32), np.arange(6, dtype=np.int32).reshape(2, 3), vertices.astype(np.float32),
        height=8, width=8,
    )  # fmt: skip
    assert (owner == NOTHING).all()
