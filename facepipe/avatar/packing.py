"""The vector of an avatar as tensors, as jobs store it."""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from torch import Tensor

from facepipe.avatar.vector import AvatarVector

KEY = "vector"


def packed(vector: AvatarVector, head: str, engine: int) -> dict[str, Tensor]:
    """Return a vector as tensors: its JSON text as bytes.

    The digest of the head and the version of the engine are among it, because they belong to the identity of results.
    """
    parts = {"sliders": dict(vector.sliders), "colours": dict(vector.colours), "choices": dict(vector.choices)}
    text = json.dumps({"head": head, "engine": engine, **parts}, sort_keys=True).encode()
    return {KEY: torch.frombuffer(bytearray(text), dtype=torch.uint8)}


def unpacked(prepared: Mapping[str, Tensor]) -> AvatarVector:
    """Return the vector of `packed`."""
    content = json.loads(bytes(prepared[KEY].numpy()))
    return AvatarVector(content["sliders"], content["colours"], content["choices"])
