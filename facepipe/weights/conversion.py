"""PyTorch checkpoints into safetensors files, without running any code that they may hold."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from facepipe.errors import WeightsError
from facepipe.weights.adding import add
from facepipe.weights.foreign import FOREIGN
from facepipe.weights.store import WeightFile, digest

# Before this version a file could run code even so (CVE-2025-32434).
SAFE_TORCH = (2, 6)


def add_foreign(path: Path, *, name: str, licence: str, source: str, replace: bool = False) -> WeightFile:
    """Convert the checkpoint of a weight in `FOREIGN` and add it under its name, as `facepipe.weights.add` does.

    The registry tells the digest of the file that was given. Raises WeightsError for what is no checkpoint of tensors.
    """
    assert name in FOREIGN
    origin = f"{source}, sha256 {digest(path)}, converted" if path.is_file() else source
    with tempfile.TemporaryDirectory(prefix="facepipe-") as folder:
        converted = Path(folder) / "converted.safetensors"
        save_file(read_checkpoint(path), converted, {"kind": name})
        return add(converted, name=name, licence=licence, source=origin, replace=replace)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a PyTorch checkpoint, or of its `state_dict`, by name; nothing else in it is looked at.

    Raises WeightsError for a file that cannot be read, that would have to run code, or that holds anything but tensors.
    """
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < SAFE_TORCH:
        raise WeightsError(f"torch {torch.__version__} cannot read {path} safely: pip install --upgrade torch")
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path} is no checkpoint that can be read without running its code ({told}): download it again"
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} holds no tensors by name, expected a network's state: download it again")
    return {str(name).removeprefix("module."): value.contiguous().clone() for name, value in state.items()}
