"""Reading third-party weights in the form in which their authors publish them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name

from facepipe.renderers import RENDERERS
from facepipe.spaces import SPACES
from facepipe.weights.conversion import Converted, read_checkpoint


def official_readers() -> Mapping[str, str]:
    """Return, by registry name, the "module:function" that reads an official file, as spaces and renderers declare."""
    declared = [*(space.official for space in SPACES.values()), *(spec.official for spec in RENDERERS.values())]
    return {name: reader for readers in declared for name, reader in readers.items()}


def read_official(name: str, path: Path) -> Converted:
    """Read the official file of a weight of `facepipe.weights.THIRD_PARTY`. Raises WeightsError.

    A weight without a reader of its own is a checkpoint of tensors, which the code that uses it checks.
    """
    if reader := official_readers().get(name):
        converted: Converted = resolve_name(reader)(path)
        return converted
    return Converted(read_checkpoint(path), {"kind": name})
