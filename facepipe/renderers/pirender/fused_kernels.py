"""Fused kernels between the convolutions of the editing network, on (H, W, C) pictures, each in a single pass.

The input of a convolution has a border of zeros, `padding` pixels wide. `scale` and `shift`, (C,), combine a norm and
its affine transform. `first` and `end` are rows of the output (for `double`, of the input), so that threads can share a
picture. `slope` is that of the leaky rectifier below zero: an argument, because numba's cache does not notice that a
constant of another module has changed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepipe.models.compiled import compiled_fused

Floats = NDArray[np.floating]


@compiled_fused
def activate(
    slope: float, x: Floats, scale: Floats, shift: Floats, out: Floats, padding: int, first: int, end: int
) -> None:
    """Write leaky(scale * x + shift)."""
    leak = x.dtype.type(slope)
    for y in range(first, end):
        for column in range(x.shape[1]):
            pixel, target = x[y, column], out[y + padding, column + padding]
            for c in range(x.shape[2]):
                value = scale[c] * pixel[c] + shift[c]
                target[c] = max(value, leak * value)


@compiled_fused
def activate_pooled(
    slope: float, x: Floats, scale: Floats, shift: Floats, out: Floats, padding: int, first: int, end: int
) -> None:
    """Write leaky(scale * x + shift), averaged over 2x2 pixels."""
    leak, quarter = x.dtype.type(slope), x.dtype.type(0.25)
    for y in range(first, end):
        for column in range(x.shape[1] // 2):
            a, b = x[2 * y, 2 * column], x[2 * y, 2 * column + 1]
            d, e = x[2 * y + 1, 2 * column], x[2 * y + 1, 2 * column + 1]
            target = out[y + padding, column + padding]
            for c in range(x.shape[2]):
                p, q = scale[c] * a[c] + shift[c], scale[c] * b[c] + shift[c]
                r, s = scale[c] * d[c] + shift[c], scale[c] * e[c] + shift[c]
                upper, lower = max(p, leak * p) + max(q, leak * q), max(r, leak * r) + max(s, leak * s)
                target[c] = quarter * (upper + lower)


@compiled_fused
def add(x: Floats, scale: Floats, shift: Floats, out: Floats, padding: int, first: int, end: int) -> None:
    """Add scale * x + shift to the output."""
    for y in range(first, end):
        for column in range(x.shape[1]):
            pixel, target = x[y, column], out[y + padding, column + padding]
            for c in range(x.shape[2]):
                target[c] += scale[c] * pixel[c] + shift[c]


@compiled_fused
def double(x: Floats, out: Floats, padding: int, first: int, end: int) -> None:
    """Enlarge a padded picture twofold, by repeating pixels, into a padded output. Rows are those of the input."""
    for y in range(first, end):
        for column in range(x.shape[1] - 2 * padding):
            pixel = x[y + padding, column + padding]
            for i in range(2):
                for j in range(2):
                    target = out[2 * y + i + padding, 2 * column + j + padding]
                    for c in range(x.shape[2]):
                        target[c] = pixel[c]


@compiled_fused
def join(
    slope: float,
    x: Floats,
    scale: Floats,
    shift: Floats,
    other: Floats,
    other_scale: Floats,
    other_shift: Floats,
    out: Floats,
    padding: int,
    first: int,
    end: int,
) -> None:
    """Write leaky(scale * x + shift) + leaky(other_scale * other + other_shift)."""
    leak = x.dtype.type(slope)
    for y in range(first, end):
        for column in range(x.shape[1]):
            one, two, target = x[y, column], other[y, column], out[y + padding, column + padding]
            for c in range(x.shape[2]):
                p, q = scale[c] * one[c] + shift[c], other_scale[c] * two[c] + other_shift[c]
                target[c] = max(p, leak * p) + max(q, leak * q)
