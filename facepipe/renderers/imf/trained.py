"""Files of the published networks, as a user's own training writes them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from facepipe.checkpoint import load_network, save_network
from facepipe.renderers.imf.config import ImfConfig
from facepipe.renderers.imf.net import Imf

if TYPE_CHECKING:
    from pathlib import Path

KIND = "imf"


def save_imf(net: Imf, path: Path) -> None:
    """Save networks for use: batch norms after convolutions are part of these, and numbers are float16."""
    save_network(deepcopy(net), path, kind=KIND)


def load_imf(path: Path) -> Imf:
    """Load networks, in float32. Torch uses one thread from then on. Raises WeightsError for other files."""
    return load_network(path, KIND, Imf, ImfConfig, precision="fp32")
