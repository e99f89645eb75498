"""Standing statistics of batch norms: the averages of the statistics of many mini-batches (supplementary)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

Batch = TypeVar("Batch")
BATCHES = 500
"""Mini-batches of the published training."""


@torch.no_grad()
def measure(net: nn.Module, batches: Iterable[Batch], forward: Callable[[Batch], object]) -> None:
    """Set the statistics of all batch norms of `net` to the means over batches, and `net` to eval mode.

    Each batch is normalised by its own mean and variance, as in training, and everything else is in eval mode: spectral
    norms do not change. The released code puts the batch norms into eval mode as well, so that nothing is measured.

    Args:
        net: Its batch norms have momentum 1, so that they keep the mean and the unbiased variance of the last batch.
        batches: One or more.
        forward: Runs all batch norms on a batch.
    """
    norms = [module for module in net.eval().modules() if isinstance(module, nn.BatchNorm2d)]
    statistics = [cast("Tensor", one) for norm in norms for one in (norm.running_mean, norm.running_var)]
    sums, count = [torch.zeros_like(one, dtype=torch.float64) for one in statistics], 0
    for norm in norms:
        norm.train()
    for batch in batches:
        forward(batch)
        count += 1
        for total, now in zip(sums, statistics, strict=True):
            total += now
    for total, value in zip(sums, statistics, strict=True):
        value.copy_(total / count)
    net.eval()
