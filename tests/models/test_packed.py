"""Packed convolutions, and bfloat16 in compiled loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from facepipe.models.bfloat16 import rounded, widened
from facepipe.models.packed import PackedConv, supports


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("slope", [None, 0.2])
def test_packed_convolutions(dtype: torch.dtype, slope: float | None) -> None:
    if dtype == torch.bfloat16 and not supports(dtype):
        pytest.skip("oneDNN lacks bfloat16 here")
    torch.manual_seed(0)
    convs: list[nn.Conv2d | nn.ConvTranspose2d] = [
        nn.Conv2d(5, 7, 3, padding=1),
        nn.Conv2d(5, 7, 4, stride=2, padding=(0, 1)),
        nn.Conv2d(5, 7, 1),
        nn.ConvTranspose2d(5, 7, 4, stride=2, padding=(2, 1)),
    ]
    for conv in convs:
        conv.to(dtype).requires_grad_(False)
        packed = PackedConv(conv, slope)
        for side in (8, 6, 8):
            x = torch.randn(1, 5, side, 10, dtype=dtype)
            exact = conv.to(torch.float64)(x.double())
            expected = exact if slope is None else F.leaky_relu(exact, slope)
            conv.to(dtype)
            made = packed(x)
            assert made.dtype == dtype
            tolerance = 0.02 if dtype == torch.bfloat16 else 1e-5
            assert (made.double() - expected).abs().max() <= tolerance


def test_bfloat16_in_compiled_loops() -> None:
    """Against torch, with ties, both zeros and infinity."""
    values = torch.cat([torch.randn(300) * 10.0 ** torch.randint(-9, 9, (300,)), torch.tensor([0.0, -0.0, torch.inf])])
    values = torch.cat([values, torch.tensor([1 + 2**-8, 1 + 3 * 2**-8, -1 - 2**-8])])
    halves = values.bfloat16()
    bits = halves.view(torch.int16).numpy().view(np.uint16)
    assert [rounded(np.float32(value)) for value in values.numpy()] == bits.tolist()
    assert np.array_equal(np.array([widened(half) for half in bits], np.float32), halves.float().numpy())
