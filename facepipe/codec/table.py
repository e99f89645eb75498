"""The table of a kind of tokens: their transform, and the distributions of the transformed and quantised numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from facepipe.errors import WeightsError

KIND = "codec-tokens"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TokenTable:
    """Transform of tokens of D numbers to K components, and integers that give the distributions of these.

    A component of 1 is a stated error, for coefficients 1 % of the eye distance (root mean square over the points).
    """

    kind: str
    """One of `facepipe.codec.TOKEN_KINDS`."""
    mean: Floats
    """(D,) mean of the tokens of key frames."""
    analysis: Floats
    """(D, K)"""
    synthesis: Floats
    """(K, D)"""
    spreads: NDArray[np.int64]
    """(K,) spread of each component of the difference to the key frame, in 1/1024."""
    reference_spreads: NDArray[np.int64]
    """(K,) spread of each component of key frames, in 1/1024."""

    @property
    def size(self) -> int:
        """D, the size of a token."""
        return len(self.mean)

    @property
    def digest(self) -> bytes:
        """The 8 bytes that identify the table in the header of a stream."""
        whole = hashlib.sha256(self.kind.encode())
        for field in fields(self)[1:]:
            array = np.ascontiguousarray(getattr(self, field.name))
            whole.update(f"{field.name}{array.shape}".encode())
            whole.update(array.astype("<f8" if array.dtype.kind == "f" else "<i8").tobytes())
        return whole.digest()[:8]


def load_table(path: Path) -> TokenTable:
    """Read a table from its safetensors file. Raises WeightsError for a file of another kind."""
    with safe_open(path, framework="numpy") as file:
        header = file.metadata() or {}
        if header.get("kind") != KIND:
            raise WeightsError(f"{path.name} holds {header.get('kind')!r}, expected a table of the kind {KIND!r}.")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not iterable itself
    arrays = {
        field.name: tensors[field.name].astype(np.float64 if tensors[field.name].dtype.kind == "f" else np.int64)
        for field in fields(TokenTable)[1:]
    }
    return TokenTable(kind=header["tokens"], **arrays)


def plain_table(kind: str, size: int, spread: float = 8.0) -> TokenTable:
    """Return a table without a transform, for tokens of unknown statistics and for tests."""
    spreads = np.full(size, round(1024 * spread), np.int64)
    unit = np.eye(size)
    return TokenTable(kind, np.zeros(size), unit, unit, spreads, spreads)
