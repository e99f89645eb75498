"""Readers for third-party weights in the published formats."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name

from facepipe.renderers import RENDERERS
from facepipe.spaces import SPACES
from facepipe.weights.conversion import Converted, read_checkpoint


def official_readers() -> Mapping[str, str]:
    """Return the readers of official files, "module:function" by registry name, declared by spaces and renderers."""
    declared = [*(space.official for space in SPACES.values()), *(spec.official for spec in RENDERERS.values())]
    return {name: reader for readers in declared for name, reader in readers.items()}


def read_official(name: str, path: Path) -> Converted:
    """Read the official file of a weight of `facepipe.weights.THIRD_PARTY`. Raises WeightsError.

    A weight without a declared reader is read as a checkpoint of tensors; the code that uses it checks the tensors.
    """
    if reader := official_readers().get(name):
        converted: Converted = resolve_name(reader)(path)
        return converted
    return Converted(read_checkpoint(path), {"kind": name})
