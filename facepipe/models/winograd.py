"""3x3 convolutions by Winograd's minimal filtering F(4x4, 3x3), for CPUs that compute in full precision.

A tile of 6x6 inputs gives 4x4 outputs with 36 products per pair of channels instead of 144 (Lavin and Gray, "Fast
Algorithms for Convolutional Neural Networks", section 4.1). Pictures are (H, W, C). Transforms run along the channels,
products are matrix products, and both work on a few rows of tiles at a time, which stay in the cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facepipe.models.compiled import compiled_fused

Floats = NDArray[np.floating]
TILE, WINDOW = 4, 6
# Points at which the polynomials are evaluated, beside 0 and infinity. They are closer together than the usual 1 and 2,
# which halves the rounding errors (Alam et al., "Winograd Convolution for Deep Neural Networks: Efficient Point
# Selection").
NEAR, FAR = 0.75, 1.5
# Approximate number of tiles that a thread processes at once.
TILES = 128


def _transforms() -> tuple[Floats, Floats, Floats]:
    """Return the transforms of inputs (6, 6), kernels (6, 3) and outputs (4, 6), scaled to similar row norms."""

    def powers(count: int) -> Floats:
        points = np.array([0, NEAR, -NEAR, FAR, -FAR])
        return np.concatenate([points[:, None] ** np.arange(count), np.eye(1, count, count - 1)])

    inputs, outputs = np.linalg.inv(powers(WINDOW)).T, powers(TILE).T
    ratio = np.linalg.norm(inputs, axis=1) / np.linalg.norm(outputs, axis=0)
    even = 2.0 ** np.round(np.log2(ratio) / 2)
    return inputs / even[:, None], powers(3), outputs * even


INPUTS, KERNELS, OUTPUTS = _transforms()


class Moments(NamedTuple):
    """Mean and (biased) variance of each channel."""

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


class Kernel(NamedTuple):
    """The transformed weights of a convolution."""

    weight: Floats
    """(36, inputs, outputs)"""
    bias: Floats
    """(outputs,)"""


def transformed(weight: Floats, bias: Floats) -> Kernel:
    """Transform the weights (outputs, inputs, 3, 3) of a convolution, in their precision."""
    spread = np.einsum("ik,ockl,jl->ijco", KERNELS, weight.astype(np.float64), KERNELS)
    flat = spread.reshape(WINDOW**2, weight.shape[1], weight.shape[0])
    return Kernel(np.ascontiguousarray(flat, weight.dtype), np.ascontiguousarray(bias))


def strip_rows(width: int) -> int:
    """Return the number of tile rows in a strip, the unit of work, for a picture of this width."""
    return max(1, TILES * TILE // width)


def strip_count(height: int, width: int) -> int:
    """Return the number of strips in a picture. Height and width must be multiples of four."""
    return -(-height // (TILE * strip_rows(width)))


def gathered(counts: NDArray[np.float64], means: NDArray[np.float64], squares: NDArray[np.float64]) -> Moments:
    """Combine the moments of S strips: (S,) pixel counts, (S, C) means, (S, C) sums of squared deviations."""
    share = (counts / counts.sum())[:, None]
    mean = (share * means).sum(axis=0)
    return Moments(mean, squares.sum(axis=0) / counts.sum() + (share * (means - mean) ** 2).sum(axis=0))


@compiled_fused
def convolve_strips(
    padded: Floats,
    weight: Floats,
    bias: Floats,
    out: Floats,
    means: Floats,
    squares: Floats,
    first: int,
    end: int,
    rows: int,
    inputs: Floats,
    outputs: Floats,
) -> None:
    """Convolve strips `first` to `end` (exclusive) of a padded (H + 2, W + 2, C) picture into `out`, (H, W, outputs).

    Also writes the moments of each strip to `means` and `squares`, (strips, outputs): the mean and the sum of squared
    deviations from it. `inputs` and `outputs` are the transform matrices in the picture's precision.
    """
    height, width, channels = out.shape
    across = width // TILE
    spread = np.empty((WINDOW * WINDOW, rows * across, padded.shape[2]), padded.dtype)
    product = np.empty((WINDOW * WINDOW, rows * across, channels), padded.dtype)
    for strip in range(first, end):
        top, bottom = strip * rows, min((strip + 1) * rows, height // TILE)
        tiles = (bottom - top) * across
        _spread(padded, spread, top, bottom, inputs)
        for part in range(WINDOW * WINDOW):
            np.dot(spread[part, :tiles], weight[part], product[part, :tiles])
        _gather(product, bias, out, top, bottom, outputs)
        take_moments(out, top * TILE, bottom * TILE, means[strip], squares[strip])


@compiled_fused
def _spread(padded: Floats, spread: Floats, top: int, bottom: int, matrix: Floats) -> None:
    """Transform the input windows of the tile rows `top` to `bottom` (exclusive)."""
    across, channels = (padded.shape[1] - 2) // TILE, padded.shape[2]
    half = np.empty((WINDOW, WINDOW, channels), padded.dtype)
    for row in range(top, bottom):
        y = row * TILE
        for column in range(across):
            x, tile = column * TILE, (row - top) * across + column
            for j in range(WINDOW):
                _six_of_six(
                    half[0, j],
                    half[1, j],
                    half[2, j],
                    half[3, j],
                    half[4, j],
                    half[5, j],
                    padded[y, x + j],
                    padded[y + 1, x + j],
                    padded[y + 2, x + j],
                    padded[y + 3, x + j],
                    padded[y + 4, x + j],
                    padded[y + 5, x + j],
                    matrix,
                )
            for i in range(WINDOW):
                at = i * WINDOW
                _six_of_six(
                    spread[at, tile],
                    spread[at + 1, tile],
                    spread[at + 2, tile],
                    spread[at + 3, tile],
                    spread[at + 4, tile],
                    spread[at + 5, tile],
                    half[i, 0],
                    half[i, 1],
                    half[i, 2],
                    half[i, 3],
                    half[i, 4],
                    half[i, 5],
                    matrix,
                )


@compiled_fused
def _gather(product: Floats, bias: Floats, out: Floats, top: int, bottom: int, matrix: Floats) -> None:
    """Transform the products back to pixels of the tile rows `top` to `bottom` (exclusive), and add the bias."""
    across, channels = out.shape[1] // TILE, out.shape[2]
    half = np.empty((TILE, WINDOW, channels), out.dtype)
    for row in range(top, bottom):
        for column in range(across):
            x, tile = column * TILE, (row - top) * across + column
            for j in range(WINDOW):
                _four_of_six(
                    half[0, j],
                    half[1, j],
                    half[2, j],
                    half[3, j],
                    product[j, tile],
                    product[WINDOW + j, tile],
                    product[2 * WINDOW + j, tile],
                    product[3 * WINDOW + j, tile],
                    product[4 * WINDOW + j, tile],
                    product[5 * WINDOW + j, tile],
                    matrix,
                )
            for i in range(TILE):
                y = row * TILE + i
                _four_of_six(
                    out[y, x],
                    out[y, x + 1],
                    out[y, x + 2],
                    out[y, x + 3],
                    half[i, 0],
                    half[i, 1],
                    half[i, 2],
                    half[i, 3],
                    half[i, 4],
                    half[i, 5],
                    matrix,
                )
                for j in range(TILE):
                    pixel = out[y, x + j]
                    for c in range(channels):
                        pixel[c] += bias[c]


# The loops below are separate, with rows as arguments, so that they are vectorised. Points come in pairs of opposite
# sign, so even and odd powers are summed once per pair; the other entries of a matrix are zero.


@compiled_fused
def _six_of_six(
    o0: Floats,
    o1: Floats,
    o2: Floats,
    o3: Floats,
    o4: Floats,
    o5: Floats,
    d0: Floats,
    d1: Floats,
    d2: Floats,
    d3: Floats,
    d4: Floats,
    d5: Floats,
    m: Floats,
) -> None:
    count = len(o0)
    for c in range(count):
        o0[c] = m[0, 0] * d0[c] + m[0, 2] * d2[c] + m[0, 4] * d4[c]
    for c in range(count):
        o5[c] = m[5, 1] * d1[c] + m[5, 3] * d3[c] + m[5, 5] * d5[c]
    for c in range(count):
        even, odd = m[1, 2] * d2[c] + m[1, 4] * d4[c], m[1, 1] * d1[c] + m[1, 3] * d3[c]
        o1[c] = even + odd
        o2[c] = even - odd
    for c in range(count):
        even, odd = m[3, 2] * d2[c] + m[3, 4] * d4[c], m[3, 1] * d1[c] + m[3, 3] * d3[c]
        o3[c] = even + odd
        o4[c] = even - odd


@compiled_fused
def _four_of_six(
    o0: Floats,
    o1: Floats,
    o2: Floats,
    o3: Floats,
    p0: Floats,
    p1: Floats,
    p2: Floats,
    p3: Floats,
    p4: Floats,
    p5: Floats,
    m: Floats,
) -> None:
    count = len(o0)
    for c in range(count):
        o0[c] = m[0, 0] * p0[c] + m[0, 1] * (p1[c] + p2[c]) + m[0, 3] * (p3[c] + p4[c])
    for c in range(count):
        o1[c] = m[1, 1] * (p1[c] - p2[c]) + m[1, 3] * (p3[c] - p4[c])
    for c in range(count):
        o2[c] = m[2, 1] * (p1[c] + p2[c]) + m[2, 3] * (p3[c] + p4[c])
    for c in range(count):
        o3[c] = m[3, 1] * (p1[c] - p2[c]) + m[3, 3] * (p3[c] - p4[c]) + m[3, 5] * p5[c]


@compiled_fused
def take_moments(picture: Floats, top: int, bottom: int, mean: Floats, square: Floats) -> None:
    """Write mean and sum of squared deviations, each (C,), of rows `top` to `bottom` (exclusive) of (H, W, C)."""
    width, channels = picture.shape[1], picture.shape[2]
    row_sum, middle = np.empty(channels, picture.dtype), np.empty(channels, picture.dtype)
    mean[:] = 0
    square[:] = 0
    for y in range(top, bottom):
        row_sum[:] = 0
        for x in range(width):
            pixel = picture[y, x]
            for c in range(channels):
                row_sum[c] += pixel[c]
        for c in range(channels):
            mean[c] += row_sum[c]
    for c in range(channels):
        mean[c] /= (bottom - top) * width
        middle[c] = mean[c]
    # `middle` is the mean rounded to the picture's precision; the error is negligible in the sum of squares.
    for y in range(top, bottom):
        row_sum[:] = 0
        for x in range(width):
            pixel = picture[y, x]
            for c in range(channels):
                away = pixel[c] - middle[c]
                row_sum[c] += away * away
        for c in range(channels):
            square[c] += row_sum[c]
