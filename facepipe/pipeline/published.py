"""How the weights of others are read as they were published, by the name that the registry gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from facepipe.face.bfm.matlab import read_model
from facepipe.face.bfm.model import KIND as BFM
from facepipe.face.bfm.network import read_published as read_deep3d
from facepipe.renderers.pirender.checkpoint import read_published as read_pirender
from facepipe.weights.conversion import Converted, read_checkpoint


def read_published(name: str, path: Path) -> Converted:
    """Read the published file of a weight in `facepipe.weights.FOREIGN`, by its name there. Raises WeightsError."""
    if name in READERS:
        return READERS[name](path)
    return Converted(read_checkpoint(path), {"kind": name})


def _read_bfm(path: Path) -> Converted:
    return Converted({name: torch.from_numpy(array) for name, array in read_model(path).items()}, {"kind": BFM})


#: For those that are more than a checkpoint of tensors, which whoever uses them checks.
READERS: Mapping[str, Callable[[Path], Converted]] = {
    "deep3d": read_deep3d,
    "bfm": _read_bfm,
    "pirender-official": read_pirender,
}
