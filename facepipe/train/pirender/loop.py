"""Training loop of renderers: Lightning Fabric for precision and several GPUs, checkpoints, curves and samples.

A crash loses the minutes since the last checkpoint; the same command resumes the run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from facepipe.checkpoint import check_state
from facepipe.media.image import write_image
from facepipe.train.loop import averaging_with, network_state

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a training; numbers of images are totals over all devices."""

    batch: int
    images: int
    peak_rate: float
    warm_up_images: int = 2000
    adversarial_from: int = 0
    """Images after which the discriminator joins; 0 for never."""
    average: float = 0.999
    betas: tuple[float, float] = (0.5, 0.99)
    decay: float = 1e-4
    epsilon: float = 1e-8
    """Of the optimisers."""
    discriminator_ratio: float = 2.0
    """Learning rate of the discriminator, as a multiple of the network's."""
    discriminator_betas: tuple[float, float] = (0.0, 0.99)
    discriminator_decay: float = 0.01
    max_gradient_norm: float | None = 1.0
    """Maximum norm of the gradient of a step; None for no clipping."""
    seed: int = 1
    workers: int = 1
    """Processes that prepare the batches."""
    report_images: int = 800
    checkpoint_minutes: float = 4.0
    minutes: float = math.inf
    """Time after which a start of the run ends, with a checkpoint, if `images` are not reached before."""
    evaluate_images: int = 8000

    def adversarial(self, images: int) -> bool:
        """Whether the discriminator has joined."""
        return 0 < self.adversarial_from <= images

    def rate(self, images: int) -> float:
        """Return the learning rate: linear warm-up, constant, then linear to a tenth over the last third."""
        rise = min(1.0, (images + self.batch) / self.warm_up_images)
        left = (self.images - images) / (self.images / 3)
        return self.peak_rate * rise * min(1.0, max(0.1, left))


@dataclass
class Run:
    """State of a training, as in its checkpoint."""

    net: nn.Module
    mean: AveragedModel
    discriminator: nn.Module
    optimiser: torch.optim.Optimizer
    discriminator_optimiser: torch.optim.Optimizer
    images: int = 0

    def state(self) -> dict[str, Any]:
        """Return the content of a checkpoint."""
        parts = {key: getattr(self, name).state_dict() for key, name in self._parts().items()}
        return {**parts, "images": self.images}

    def average(self) -> None:
        """Update the averaged network after a step."""
        self.mean.update_parameters(self.net)

    def start_at(self, path: Path) -> None:
        """Load a network from a checkpoint or a released file. Raises WeightsError unless it fits."""
        state = network_state(path)
        check_state(state, self.net, path)
        for net in (self.net, self.mean.module):
            net.load_state_dict(state)

    def resume(self, path: Path) -> None:
        """Load a checkpoint. Raises WeightsError if it is that of another network."""
        self.load(torch.load(path, map_location="cpu", weights_only=True), path)

    def load(self, state: Mapping[str, Any], path: Path) -> None:
        """Load the content of a checkpoint. Raises WeightsError if it is that of another network."""
        check_state(state["net"], self.net, path)
        for key, name in self._parts().items():
            getattr(self, name).load_state_dict(state[key])
        self.images = int(state["images"])

    @staticmethod
    def _parts() -> dict[str, str]:
        """Return attributes by their key in a checkpoint; keys never change, so that old checkpoints resume."""
        return {
            "net": "net",
            "mean": "mean",
            "judge": "discriminator",
            "optimiser": "optimiser",
            "judge_optimiser": "discriminator_optimiser",
        }


def new_run(net: nn.Module, discriminator: nn.Module, recipe: Recipe) -> Run:
    """Return a run before its first step."""
    return Run(
        net=net,
        mean=AveragedModel(net, avg_fn=averaging_with(recipe.average), use_buffers=True),
        discriminator=discriminator,
        optimiser=torch.optim.AdamW(
            net.parameters(),
            lr=recipe.peak_rate,
            betas=recipe.betas,
            eps=recipe.epsilon,
            weight_decay=recipe.decay,
        ),
        discriminator_optimiser=torch.optim.AdamW(
            discriminator.parameters(),
            lr=recipe.discriminator_ratio * recipe.peak_rate,
            betas=recipe.discriminator_betas,
            eps=recipe.epsilon,
            weight_decay=recipe.discriminator_decay,
        ),
    )


def save(run: Run, path: Path) -> None:
    """Replace the checkpoint atomically, so that a crash leaves the previous one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(run.state(), path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def report(metrics: dict[str, float], sheet: Picture, images: int, out: Path, curves: TensorBoardLogger) -> None:
    """Print and plot metrics, and write the sheet of samples to the curves and to OUT/samples."""
    print(f"{images} images: " + " ".join(f"{name} {value:.3f}" for name, value in metrics.items()), flush=True)
    curves.log_metrics({f"unseen {name}": value for name, value in metrics.items()}, images)
    curves.experiment.add_image("unseen", sheet, images, dataformats="HWC")
    (out / "samples").mkdir(parents=True, exist_ok=True)
    write_image(out / "samples" / f"{images:08}.png", sheet)


def step(
    optimiser: torch.optim.Optimizer, loss: Tensor, net: nn.Module, fabric: Fabric, max_gradient_norm: float | None
) -> None:
    """Take one optimisation step with clipped gradient; a step with a non-finite gradient is skipped."""
    optimiser.zero_grad(set_to_none=True)
    fabric.backward(loss)
    norm = torch.nn.utils.clip_grad_norm_(
        net.parameters(), math.inf if max_gradient_norm is None else max_gradient_norm
    )
    if torch.isfinite(norm):
        optimiser.step()


class Training(Protocol):
    """A network with its data, losses and evaluation."""

    @property
    def run(self) -> Run:
        """Return the state of the training."""

    @property
    def recipe(self) -> Recipe:
        """Return the hyperparameters."""

    def batches(self, images: int) -> Iterable[Any]:
        """Return endless batches, starting after `images` images."""

    def advance(self, batch: Any) -> dict[str, Tensor]:
        """Take one step and return its losses."""

    def evaluate(self, mean: nn.Module) -> tuple[dict[str, float], Picture]:
        """Return metrics of the averaged network on unseen people, and a sheet of samples."""


def train(training: Training, out: Path, fabric: Fabric) -> None:
    """Train until `recipe.images` or `recipe.minutes`, resuming from OUT/checkpoint.pt if it exists.

    Only the first device reports.
    """
    run, recipe = training.run, training.recipe
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        run.resume(checkpoint)
    curves = TensorBoardLogger(str(out), name="curves")
    began, first, saved = time.monotonic(), run.images, time.monotonic()
    stream: Iterator[Any] = iter(training.batches(run.images))
    ended = run.images >= recipe.images
    while not ended:
        for optimiser, factor in (
            (run.optimiser, 1.0),
            (run.discriminator_optimiser, recipe.discriminator_ratio),
        ):
            for group in optimiser.param_groups:
                group["lr"] = factor * recipe.rate(run.images)
        losses = training.advance(next(stream))
        run.average()
        before, run.images = run.images, run.images + recipe.batch * fabric.world_size
        ended = run.images >= recipe.images or time.monotonic() - began > 60 * recipe.minutes

        def passed(every: int, before: int = before, ended: bool = ended) -> bool:
            return before // every != run.images // every or ended

        if not fabric.is_global_zero:
            continue
        if passed(recipe.report_images):
            values = {name: float(value.detach()) for name, value in losses.items()}
            curves.log_metrics(values, run.images)
            rate = (run.images - first) / (time.monotonic() - began)
            text = " ".join(f"{name} {value:.4f}" for name, value in values.items())
            print(f"{run.images} images, {rate:.1f}/s: {text}", flush=True)
        if passed(recipe.evaluate_images):
            report(*training.evaluate(run.mean.module.eval()), run.images, out, curves)
        if time.monotonic() - saved > 60 * recipe.checkpoint_minutes or ended:
            save(run, checkpoint)
            saved = time.monotonic()
