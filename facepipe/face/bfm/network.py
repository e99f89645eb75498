"""The coefficient network: coefficients of aligned squares, and conversion of its published checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facepipe.checkpoint import check_state, header_of, load_network
from facepipe.device import lone_threads, thread_count
from facepipe.face.bfm.matlab import read_model
from facepipe.face.bfm.model import KIND as MODEL_KIND
from facepipe.models.blocks import fold_norms
from facepipe.models.deep3d import CoefficientNetwork, Deep3dConfig
from facepipe.models.rows import full_batches
from facepipe.weights.conversion import Converted, read_checkpoint

KIND = "deep3d"
#: Key of the network in epoch_20.pth, which also contains the optimiser and its schedule.
PART = "net_recon"
# Squares per batch of the network. A single square takes a tenth more time.
BATCH_SQUARES = 2


class Regressor:
    """Estimates coefficients, on all cores."""

    def __init__(self, weight: Path) -> None:
        # In full precision, because the renderers were trained with such coefficients.
        self.net = load_network(weight, KIND, CoefficientNetwork, Deep3dConfig, precision="fp32")
        self.crew = lone_threads(thread_count(), "estimating")

    def estimate(self, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return (B, 257) coefficients of (224, 224, 3) uint8 RGB squares.

        Batches of constant size run in parallel, each on one thread, so that neither the number of squares nor the
        number of cores changes the rounding.
        """
        found = self.crew.map(self._estimate, full_batches(squares, BATCH_SQUARES))
        return np.concatenate(list(found))[: len(squares)]

    @torch.inference_mode()
    def _estimate(self, squares: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        pictures = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float() / 255
        return np.asarray(self.net(pictures).numpy())


def read_official(path: Path, config: Deep3dConfig | None = None) -> Converted:
    """Read epoch_20.pth: exactly the expected keys, batch norms folded. Raises WeightsError for any other file."""
    state = read_checkpoint(path, PART)
    with torch.device("meta"):
        net = CoefficientNetwork(config)
    check_state(state, net, path)
    net.load_state_dict(state, assign=True)
    folded = fold_norms(net.requires_grad_(False)).state_dict()
    tensors = {name: tensor.float().contiguous() for name, tensor in folded.items()}
    return Converted(tensors, header_of(KIND, net.config))


def read_official_model(path: Path) -> Converted:
    """Read the Basel Face Model's .mat file. Raises WeightsError for any other file."""
    tensors = {name: torch.from_numpy(array) for name, array in read_model(path).items()}
    return Converted(tensors, {"kind": MODEL_KIND})
