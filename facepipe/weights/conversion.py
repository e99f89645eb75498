"""PyTorch checkpoints into safetensors files, without running any code that they may hold."""

from __future__ import annotations

import pickle
import struct
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from facepipe.errors import WeightsError
from facepipe.weights.adding import add, check_name
from facepipe.weights.store import WeightFile, digest
from facepipe.weights.third_party import ThirdPartyWeight

# What reading a file raises that is something else: the unpickler takes whatever bytes there are for commands.
UNREADABLE = (
    OSError,
    RuntimeError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    struct.error,
    pickle.UnpicklingError,
    SafetensorError,
)
# Before this version a file could run code even so (CVE-2025-32434).
SAFE_TORCH = (2, 6)


class Converted(NamedTuple):
    """A checkpoint in the form that facepipe keeps."""

    tensors: Mapping[str, Tensor]
    header: Mapping[str, str]
    """Goes into the header of the safetensors file: its kind, and what is needed to build the network."""


def add_third_party(
    path: Path,
    read: Callable[[Path], Converted],
    weight: ThirdPartyWeight,
    *,
    name: str,
    licence: str = "",
    source: str = "",
    space: str = "",
    unchecked: bool = False,
    replace: bool = False,
) -> WeightFile:
    """Read a file as it was published, and add what is in it under `name`, as `facepipe.weights.add` does.

    The registry tells the digest of the file that was given, and the page that it comes from unless it is `unchecked`.
    Raises WeightsError for what `read` refuses, and for another digest than that of the published file.
    """
    check_name(name)
    converted = read(path)
    if not unchecked:
        _check_digest(path, weight)
    with tempfile.TemporaryDirectory(prefix="facepipe-") as folder:
        file = Path(folder) / "converted.safetensors"
        save_file(dict(converted.tensors), file, dict(converted.header))
        return add(
            file,
            name=name,
            licence=licence or weight.licence,
            source=f"{source or path.name}, sha256 {digest(path)}, converted",
            space=space or weight.space,
            page="" if unchecked else weight.url,
            replace=replace,
        )


def _check_digest(path: Path, weight: ThirdPartyWeight) -> None:
    if not (found := digest(path)).startswith(weight.sha256_start):
        raise WeightsError(
            f"{path} is not {weight.file} as it was published: expected a sha256 that begins with "
            f"{weight.sha256_start}, got {found}. Get it again from {weight.url}; a file of your own, which may "
            "differ, comes in with --unchecked"
        )


def read_checkpoint(path: Path, *parts: str) -> dict[str, Tensor]:
    """Return the tensors of a PyTorch checkpoint by name, or of the first of `parts` (else "state_dict") that it has.

    Nothing else in it is looked at. A safetensors file will do as well. Raises WeightsError for a file that cannot be
    read, that would have to run code, or that holds anything but tensors.
    """
    state = _content(path)
    if isinstance(state, dict):
        state = next((state[part] for part in parts or ("state_dict",) if part in state), state)
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        held = f" (it holds {', '.join(map(str, state))[:200]})" if isinstance(state, dict) and state else ""
        raise WeightsError(f"{path} holds no tensors by name{held}, expected a network's state: download it again")
    return {str(name).removeprefix("module."): value.contiguous().clone() for name, value in state.items()}


def _content(path: Path) -> Any:
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < SAFE_TORCH:
        raise WeightsError(f"torch {torch.__version__} cannot read {path} safely: pip install --upgrade torch")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{path} is no checkpoint that can be read without running its code ({told}): download it again"
        ) from error
