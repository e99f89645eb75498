"""Fine-tuning of the compact bi-layer network for one person.

All pairs are of two frames of the person. The layers that read the source picture and the keypoints are not trained:
they have seen many people, and one person shows few of the possible values. The others have a small learning rate.
The weight that is kept has the best figure on frames that are not trained on; the start is among the candidates.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, default_collate

from facepipe.checkpoint import check_state, load_network, save_network
from facepipe.face.model import FaceModel
from facepipe.media.files import draft_of
from facepipe.models.landmarker import Landmarker
from facepipe.renderers.bilayer.compact.config import CompactBilayerConfig
from facepipe.renderers.bilayer.compact.net import CompactBilayerNet
from facepipe.renderers.bilayer.compact.renderer import KIND
from facepipe.train.bilayer.compact import metrics, picture_losses, rendered, sample_sheet, weighted
from facepipe.train.bilayer.mattes import Mattes
from facepipe.train.bilayer.pairs import PAIRS_OF_A_SOURCE, HeadPair, HeadPairs, to_batch
from facepipe.train.bilayer.person_frames import spread
from facepipe.train.loop import network_state
from facepipe.train.pirender.frame_cache import FrameCache
from facepipe.train.pirender.landmarks import LandmarkerLosses
from facepipe.train.pirender.loop import Picture, Recipe, new_run, step

FROZEN = ("embedder.enter", "embedder.down", "embedder.blocks", "embedder.identity", "generator.pose")
"""Parts that are not trained."""
JUDGED_SOURCES = 4
FIGURE = "psnr result"
"""The figure of `metrics` that decides which weight is kept; a larger one is better."""


class Person(NamedTuple):
    """The frames of a person, in a cache of one clip."""

    cache: FrameCache
    mattes: Mattes
    seen: NDArray[np.intp]
    """Frames to train on."""
    held_out: NDArray[np.intp]
    """Frames that judge the training; none of a few pictures."""


class PersonPairs(HeadPairs):
    """Endless random pairs of the frames to train on. They are not mirrored, because a face is not symmetric."""

    def __init__(self, person: Person, model: FaceModel, seed: int) -> None:
        super().__init__(person.cache, person.mattes, model, seed)
        self.seen = person.seen

    def drawn(self, random: np.random.Generator) -> tuple[int, bool, NDArray[np.intp]]:
        """Return the clip, not mirrored, and the frames to train on."""
        del random
        return 0, False, self.seen


def base_net(path: Path) -> CompactBilayerNet:
    """Return the network of a weight file or of a run's checkpoint, in float32. Raises WeightsError for others."""
    if path.suffix == ".safetensors":
        return load_network(path, KIND, CompactBilayerNet, CompactBilayerConfig, precision="fp32")
    net, state = CompactBilayerNet(CompactBilayerConfig()), network_state(path)
    check_state(state, net, path)
    net.load_state_dict(state)
    return net


def judged_pairs(person: Person, model: FaceModel) -> list[HeadPair]:
    """Return batches whose sources are frames to train on, the first one first, and whose targets are held out.

    Without held-out frames, the targets are frames to train on.
    """
    pairs, random = HeadPairs(person.cache, person.mattes, model, 0, augment=False), np.random.default_rng(0)
    targets = list(spread(person.held_out if len(person.held_out) else person.seen, JUDGED_SOURCES * PAIRS_OF_A_SOURCE))
    return [
        default_collate(list(pairs.of_source(0, source, targets[number::JUDGED_SOURCES], random)))
        for number, source in enumerate(spread(person.seen, JUDGED_SOURCES))
    ]


class PersonTraining:
    """The network with the frames of one person; implements `facepipe.train.pirender.loop.Training`."""

    def __init__(
        self,
        recipe: Recipe,
        fabric: Fabric,
        person: Person,
        model: FaceModel,
        landmarker: Landmarker,
        net: CompactBilayerNet,
        weight: Path,
    ) -> None:
        """Set up a run that starts at `net`. `fabric` must have been launched.

        `weight` is the file to write. If it exists, only a better weight replaces it.
        """
        self.recipe, self.fabric, self.person, self.model, self.weight = recipe, fabric, person, model, weight
        self.config, self.pairs = net.config, judged_pairs(person, model)
        self.before = metrics(net.eval(), self.pairs)
        if not weight.exists():
            self._keep(net)
        kept = load_network(weight, KIND, CompactBilayerNet, CompactBilayerConfig, precision="fp32")
        self.best = metrics(kept.eval(), self.pairs)
        self.landmarker = LandmarkerLosses(landmarker).to(fabric.device)
        torch.manual_seed(recipe.seed)
        net = copy.deepcopy(net).to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        for name, part in net.named_parameters():
            part.requires_grad_(not name.startswith(FROZEN))
        self.run = new_run(net, nn.Conv2d(1, 1, 1), recipe)
        self.net, self.run.optimiser = fabric.setup(self.run.net, self.run.optimiser)

    def batches(self, images: int) -> Iterable[Any]:
        """Return endless batches of pairs."""
        pairs = PersonPairs(self.person, self.model, self.recipe.seed + images)
        options = {"num_workers": self.recipe.workers, "prefetch_factor": 4 if self.recipe.workers else None}
        return self.fabric.setup_dataloaders(DataLoader(pairs, batch_size=self.recipe.batch, **options))  # type: ignore[arg-type]

    def advance(self, batch: HeadPair) -> dict[str, Tensor]:
        """Take a step."""
        tensors = to_batch(batch)
        made, texture = rendered(self.run.net, tensors, self.fabric)  # type: ignore[arg-type]
        losses = picture_losses(made, texture, tensors, self.landmarker)
        step(self.run.optimiser, weighted(losses), self.run.net, self.fabric, self.recipe.max_gradient_norm)
        return losses

    def evaluate(self, mean: nn.Module) -> tuple[dict[str, float], Picture]:
        """Evaluate the averaged network on the CPU, as in use, and keep it if it is the best so far.

        Without held-out frames the newest is kept, because no figure could show that it is too close to its frames.
        """
        net = CompactBilayerNet(self.config).eval()
        net.load_state_dict(mean.state_dict())
        found = metrics(net, self.pairs)
        if not len(self.person.held_out) or found[FIGURE] > self.best[FIGURE]:
            self.best = found
            self._keep(net)
        return found, sample_sheet(net, self.pairs)

    def _keep(self, net: CompactBilayerNet) -> None:
        with draft_of(self.weight) as draft:
            save_network(copy.deepcopy(net), draft, kind=KIND)
