"""Reference numbers of the published systems: $FIXTURES, or the folder beside the repository."""

import json
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(os.environ.get("FIXTURES") or Path(__file__).parents[2] / "shared/fixtures")


def load_fixture(name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a fixture's tensors and its sidecar; skip the test where the folder has no such fixture."""
    path = FOLDER / f"{name}.safetensors"
    if not path.is_file():
        pytest.skip(f"there is no {path}; FIXTURES names the folder with the reference numbers")
    return load_file(path), json.loads(path.with_suffix(".json").read_text("utf-8"))


def filled_state(recipe: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the state that a sidecar describes by the recipe hashfill-v1."""
    return {name: filled(name, shape, recipe["rules"]) for name, shape in recipe["state_keys"].items()}


def filled(name: str, shape: Sequence[int], rules: Sequence[Sequence[Any]]) -> Tensor:
    """Return one tensor of the recipe; rules are (regex, a, b, mode), of which the first that is found counts."""
    base, factor, mode = next((a, b, mode) for regex, a, b, mode in rules if re.search(regex, name))
    if mode == "zero_int":
        return torch.zeros(tuple(shape), dtype=torch.int64)
    if mode == "fan":
        factor = factor * np.sqrt(3 / np.prod(shape[1:]))
    start = np.array([zlib.crc32(name.encode())], np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = start + np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) * np.uint64(0xD1342543DE82EF95)
    for shift, multiplier in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(multiplier)
    r = 2 * (((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53) - 1
    return torch.from_numpy((base + factor * r).astype(np.float32).reshape(shape))
