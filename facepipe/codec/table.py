"""The table of a kind of tokens: their transform, and the distributions of the transformed and quantised numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from facepipe.codec.distribution import COUNT, FREEDOMS, SPREADS
from facepipe.errors import WeightsError

KIND = "codec-tokens"
SCALE_COUNT, CLASS_COUNT = 10, 6
STEPS = tuple(0.125 * 2 ** (scale / 2) for scale in range(SCALE_COUNT))
"""Steps of the quantiser in units of the components, finest first."""
MAX_COMPONENTS = 36
"""So that a packet has at most 111 bytes: 24 bits per component, and less than 4 bytes at the end."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class TokenTable:
    """Transform of tokens of D numbers to K components, and integers that choose the distribution of each.

    A component of 1 is an error of 1 % of the eye distance for coefficients (root mean square over the points, weighted
    as in a fit), and about that for `imf` (`facepipe.train.imf.codec_tokens`).

    A number is coded as its residual to a prediction from the key frame, with the distribution of a class. The class
    follows from the activity, the mean relative size of up to 12 residuals before it: see `facepipe.codec.tokens`.
    """

    kind: str
    """One of `facepipe.codec.TOKEN_KINDS`."""
    mean: Floats
    """(D,) mean of the tokens of key frames."""
    analysis: Floats
    """(D, K)"""
    synthesis: Floats
    """(K, D)"""
    prediction: Integers
    """(K,) prediction of a component's difference to the key frame from that of the key frame to the mean, in 1/256."""
    typical: Integers
    """(10, K) mean absolute residual for each scale, in 1/16 step, at least 1."""
    edges: Integers
    """(10, K, 5) ascending activities at which the next class begins."""
    models: Integers
    """(10, K, 6) indices of distributions for each scale, component and class."""
    reference_models: Integers
    """(10, K) indices of distributions of the components of key frames."""

    @property
    def size(self) -> int:
        """D, the size of a token."""
        return len(self.mean)

    @property
    def components(self) -> int:
        """K, the numbers in a packet."""
        return len(self.synthesis)

    @property
    def digest(self) -> bytes:
        """The 8 bytes that identify the table in the header of a stream."""
        whole = hashlib.sha256(self.kind.encode())
        for field in fields(self)[1:]:
            array = getattr(self, field.name)
            whole.update(f"{field.name}{array.shape}".encode())
            whole.update(array.astype("<f8" if array.dtype.kind == "f" else "<i8").tobytes())
        return whole.digest()[:8]


def load_table(path: Path) -> TokenTable:
    """Read a table from its safetensors file. Raises WeightsError for a file of another kind or form."""
    with safe_open(path, framework="numpy") as file:
        header = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not iterable itself
    names = [field.name for field in fields(TokenTable)[1:]]
    if header.get("kind") != KIND or sorted(tensors) != sorted(names):
        raise WeightsError(f"{path.name} holds {header.get('kind')!r}, expected a table of the kind {KIND!r}.")
    arrays = {
        name: array.astype(np.float64 if array.dtype.kind == "f" else np.int64) for name, array in tensors.items()
    }
    table = TokenTable(kind=header["tokens"], **arrays)
    _check(table, path.name)
    return table


def _check(table: TokenTable, name: str) -> None:
    numbers, count = table.analysis.shape if table.analysis.ndim == 2 else (0, 0)
    shapes = {
        "mean": (numbers,),
        "synthesis": (count, numbers),
        "prediction": (count,),
        "typical": (SCALE_COUNT, count),
        "edges": (SCALE_COUNT, count, CLASS_COUNT - 1),
        "models": (SCALE_COUNT, count, CLASS_COUNT),
        "reference_models": (SCALE_COUNT, count),
    }
    wrong = [field for field, shape in shapes.items() if getattr(table, field).shape != shape]
    if wrong or not 1 <= count <= MAX_COMPONENTS:
        raise WeightsError(f"the table {name} has tensors of other shapes than its {count} components: {wrong}.")
    indices = np.concatenate([table.models.ravel(), table.reference_models.ravel()])
    if indices.min() < 0 or indices.max() >= COUNT or table.typical.min() < 1:
        raise WeightsError(f"the table {name} names distributions that do not exist; fetch it again.")


def plain_table(kind: str, size: int) -> TokenTable:
    """Return a table without a transform, for tokens of up to 36 numbers with unknown statistics, and for tests."""
    unit = np.eye(size)
    # Spreads of 8 units in the middle shape.
    place = FREEDOMS.index(7) * len(SPREADS)
    spread = np.array([place + int(np.abs(np.array(SPREADS) / 2**18 - 8 / step).argmin()) for step in STEPS])
    return TokenTable(
        kind=kind,
        mean=np.zeros(size),
        analysis=unit,
        synthesis=unit,
        prediction=np.zeros(size, np.int64),
        typical=np.ones((SCALE_COUNT, size), np.int64),
        edges=np.full((SCALE_COUNT, size, CLASS_COUNT - 1), 1 << 30, np.int64),
        models=np.broadcast_to(spread[:, None, None], (SCALE_COUNT, size, CLASS_COUNT)).astype(np.int64),
        reference_models=np.broadcast_to(spread[:, None], (SCALE_COUNT, size)).astype(np.int64),
    )
