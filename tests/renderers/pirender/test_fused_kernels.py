"""Each fused kernel against NumPy, run in two parts as by two threads."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facepipe.renderers.pirender import fused_kernels

Floats = NDArray[np.floating]
RNG = np.random.default_rng(0)
X, OTHER = RNG.normal(size=(2, 6, 4, 3))
SCALE, SHIFT, OTHER_SCALE, OTHER_SHIFT = RNG.normal(size=(4, 3))
BEFORE = RNG.normal(size=(6, 4, 3))


def leaky(x: Floats) -> Floats:
    return np.where(x > 0, x, 0.1 * x)


def pooled(x: Floats) -> Floats:
    return np.asarray(x.reshape(3, 2, 2, 2, 3).mean((1, 3)))


CASES: list[tuple[Callable[..., None], tuple[Any, ...], Floats, int]] = [
    (fused_kernels.activate, (0.1, X, SCALE, SHIFT), leaky(SCALE * X + SHIFT), 6),
    (fused_kernels.activate_pooled, (0.1, X, SCALE, SHIFT), pooled(leaky(SCALE * X + SHIFT)), 3),
    (fused_kernels.add, (X, SCALE, SHIFT), BEFORE + SCALE * X + SHIFT, 6),
    (fused_kernels.double, (np.pad(X, ((2, 2), (2, 2), (0, 0))),), X.repeat(2, 0).repeat(2, 1), 6),
    (
        fused_kernels.join,
        (0.1, X, SCALE, SHIFT, OTHER, OTHER_SCALE, OTHER_SHIFT),
        leaky(SCALE * X + SHIFT) + leaky(OTHER_SCALE * OTHER + OTHER_SHIFT),
        6,
    ),
]


@pytest.mark.parametrize(("kernel", "arguments", "expected", "rows"), CASES, ids=[case[0].__name__ for case in CASES])
def test_a_kernel(kernel: Callable[..., None], arguments: tuple[Any, ...], expected: Floats, rows: int) -> None:
    """The padding stays zero."""
    out = np.zeros((expected.shape[0] + 4, expected.shape[1] + 4, 3))
    if expected.shape == BEFORE.shape:
        out[2:-2, 2:-2] = BEFORE
    for first, end in ((0, 2), (2, rows)):
        kernel(*arguments, out, 2, first, end)
    np.testing.assert_allclose(out[2:-2, 2:-2], expected, rtol=1e-12)
    out[2:-2, 2:-2] = 0
    assert not out.any()
