"""Winograd convolution compared with torch's, and moments with NumPy's."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facepipe.models import winograd
from facepipe.models.winograd import Moments

NEAR = {"float32": 1e-4, "float64": 1e-12}


def convolved(
    picture: NDArray[np.floating], weight: NDArray[np.floating], bias: NDArray[np.floating], parts: int = 1
) -> tuple[NDArray[np.floating], Moments]:
    """Convolve (H, W, C) in `parts` calls."""
    height, width, _ = picture.shape
    out = np.empty((height, width, len(bias)), picture.dtype)
    strips = winograd.strip_count(height, width)
    means, squares = np.empty((2, strips, len(bias)))
    bounds = [strips * part // parts for part in range(parts + 1)]
    padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)))
    matrices = winograd.INPUTS.astype(picture.dtype), winograd.OUTPUTS.astype(picture.dtype)
    rows = winograd.strip_rows(width)
    for first, end in pairwise(bounds):
        kernel = winograd.transformed(weight, bias)
        winograd.convolve_strips(padded, *kernel, out, means, squares, first, end, rows, *matrices)
    counts = np.minimum(rows, height // 4 - rows * np.arange(strips)) * 4.0 * width
    return out, winograd.gathered(counts, means, squares)


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("size", [(8, 8), (12, 64), (96, 256), (4, 4)])
def test_the_result_is_that_of_torch(size: tuple[int, int], dtype: str) -> None:
    rng = np.random.default_rng(0)
    picture, weight, bias = (rng.normal(size=shape).astype(dtype) for shape in ((*size, 5), (7, 5, 3, 3), (7,)))
    tensors = (torch.from_numpy(picture).permute(2, 0, 1)[None].double(), torch.from_numpy(weight).double())
    wanted = (
        torch.nn.functional.conv2d(*tensors, torch.from_numpy(bias).double(), padding=1)[0].permute(1, 2, 0).numpy()
    )
    made, moments = convolved(picture, weight, bias)
    assert made.dtype == dtype
    assert np.abs(made - wanted).max() <= NEAR[dtype]
    np.testing.assert_allclose(moments.mean, wanted.mean((0, 1)), atol=NEAR[dtype])
    np.testing.assert_allclose(moments.variance, wanted.var((0, 1)), rtol=10 * NEAR[dtype])
    again, _ = convolved(picture, weight, bias, parts=2)
    assert np.array_equal(again, made)


def test_moments_far_from_zero() -> None:
    """A variance that is small relative to the mean is accurate in single precision."""
    picture = (1000 + np.random.default_rng(0).normal(size=(64, 64, 3))).astype(np.float32)
    means, squares = np.empty((2, 64, 3))
    for row in range(64):
        winograd.take_moments(picture, row, row + 1, means[row], squares[row])
    moments = winograd.gathered(np.full(64, 64.0), means, squares)
    exact = picture.astype(np.float64)
    np.testing.assert_allclose(moments.mean, exact.mean((0, 1)), rtol=1e-7)
    np.testing.assert_allclose(moments.variance, exact.var((0, 1)), rtol=1e-4)
