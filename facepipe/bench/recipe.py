"""Reproducible weights: pseudo-random numbers seeded by a tensor's name, the same in every program."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

Rule = tuple[str, float, float, str]
"""Pattern of tensor names; a and b of a + b * r, with r in [-1, 1); and the mode: "fan" multiplies b by
sqrt(3 / fan-in), "abs" uses b as it is, "zero_int" gives integer zeros."""

#: For PIRenderer: the magnitudes of flow, norms and pictures are those of a trained network.
PIRENDER: Sequence[Rule] = (
    (r"^mapping_net.*\.weight$", 0, 1.6, "fan"),
    (r"mlp_shared\.0\.weight$", 0, 1.5, "fan"),
    (r"mlp_(gamma|beta)\.weight$", 0, 0.8, "fan"),
    (r"flow_out\.2\.weight$", 0, 4.0, "fan"),
    (r"flow_out\.2\.bias$", 0, 1.4, "abs"),
    (r"(flow_out\.0|model\.1)\.weight$", 1, 0.4, "abs"),
    (r"(flow_out\.0|model\.1)\.bias$", 0, 0.4, "abs"),
    (r"final\.model\.0\.weight$", 0, 0.6, "fan"),
    (r"\.weight$", 0, 1.3, "fan"),
    (r"\.bias$", 0, 0.25, "abs"),
)


def filled_state(state: Mapping[str, Tensor], rules: Sequence[Rule]) -> dict[str, Tensor]:
    """Return a state dict with the names and shapes of `state`."""
    return {name: filled(name, tensor.shape, rules) for name, tensor in state.items()}


def filled(name: str, shape: Sequence[int], rules: Sequence[Rule]) -> Tensor:
    """Return one tensor of the recipe hashfill-v1, float32. The first rule whose pattern matches applies."""
    base, factor, mode = next((a, b, mode) for pattern, a, b, mode in rules if re.search(pattern, name))
    if mode == "zero_int":
        return torch.zeros(tuple(shape), dtype=torch.int64)
    if mode == "fan":
        factor = factor * np.sqrt(3 / np.prod(shape[1:]))
    # splitmix64 of the index, seeded by the name.
    start = np.array([zlib.crc32(name.encode())], np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = start + np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(0xD1342543DE82EF95)
    for shift, multiplier in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(multiplier)
    r = 2 * (((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53) - 1
    return torch.from_numpy((base + factor * r).astype(np.float32).reshape(tuple(shape)))
