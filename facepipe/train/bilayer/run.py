"""State of a training of the published networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from facepipe.checkpoint import check_state
from facepipe.errors import WeightsError
from facepipe.renderers.bilayer.config import BilayerConfig
from facepipe.renderers.bilayer.discriminator import Discriminator
from facepipe.renderers.bilayer.published import KIND, Bilayer
from facepipe.renderers.bilayer.trained import TrainedRun, read_trained
from facepipe.train.bilayer.stages import Stage
from facepipe.train.bilayer.standing import Batch, measure
from facepipe.train.pirender.loop import Recipe, Run, new_run


@dataclass
class PublishedRun(Run):
    """A run whose `mean` is not an average, but the networks as they were last made ready for use."""

    config: BilayerConfig = field(default_factory=BilayerConfig)
    stage: Stage = "base"
    measured_images: int = 0
    """Images after which `mean` was made ready; 0 if never."""

    @property
    def networks(self) -> Bilayer:
        """Return the networks in training."""
        return cast("Bilayer", self.net)

    def average(self) -> None:
        """Leave `mean` as it is: the paper's networks are those of the last step."""

    def state(self) -> dict[str, Any]:
        """Return the content of a checkpoint; `facepipe.renderers.bilayer.trained` reads it."""
        facts = {"kind": KIND, "config": asdict(self.config), "stage": self.stage}
        return {**super().state(), **facts, "measured_images": self.measured_images}

    def resume(self, path: Path) -> None:
        """Load a checkpoint. Raises WeightsError if it is that of another network, size or stage."""
        found = self._of_this_size(path)
        if found.stage != self.stage:
            raise WeightsError(
                f"{path} is of the stage {found.stage}, expected {self.stage}: give another --out, or --stage "
                f"{found.stage}"
            )
        self.load(found.state, path)
        self.measured_images = found.measured_images

    def start_at(self, path: Path) -> None:
        """Load networks and discriminator of another run. The stage `enhancer` takes its base from those made ready.

        Raises WeightsError unless they fit.
        """
        found = self._of_this_size(path)
        begun = found.ready if self.stage == "enhancer" else found.state["net"]
        if self.stage == "enhancer" and found.stage == "base":
            kept = {
                name: value for name, value in self.net.state_dict().items() if name.startswith("texture_enhancer.")
            }
            begun = {**begun, **kept}
        for state, net in ((begun, self.net), (found.state["judge"], self.discriminator)):
            check_state(state, net, path)
            net.load_state_dict(state)

    def _of_this_size(self, path: Path) -> TrainedRun:
        found = read_trained(path)
        if replace(found.config, has_enhancer=self.config.has_enhancer) != self.config:
            raise WeightsError(
                f"{path} is of networks of another size (inference generator of {found.config.inference_width} to "
                f"{found.config.inference_widest} channels), expected {self.config.inference_width} to "
                f"{self.config.inference_widest}: give the --size of that run"
            )
        return found

    def make_ready(self, batches: Iterable[Batch], forward: Callable[[Bilayer, Batch], object]) -> None:
        """Copy the networks to `mean`, for use. In the stage `base`, measure the statistics of its batch norms."""
        ready = cast("Bilayer", self.mean.module)
        ready.load_state_dict(self.net.state_dict())
        if self.stage == "base":
            measure(ready, batches, lambda batch: forward(ready, batch))
        self.measured_images = self.images

    def training_mode(self) -> None:
        """Put what the stage trains into training mode, and freeze the rest."""
        self.discriminator.train()
        if self.stage == "base":
            self.net.train()
            return
        self.net.eval().requires_grad_(False)
        cast("nn.Module", self.networks.texture_enhancer).train().requires_grad_(True)


def new_published_run(config: BilayerConfig, stage: Stage, recipe: Recipe, device: torch.device) -> PublishedRun:
    """Return a run before its first step, with spectral norms in all networks."""
    config = replace(config, spectral_norm=True, has_enhancer=stage == "enhancer")
    run = new_run(Bilayer(config).to(device), Discriminator(config).to(device), recipe)
    return PublishedRun(**vars(run), config=config, stage=stage)
