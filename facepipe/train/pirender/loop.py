"""The training loop of a renderer: Lightning Fabric for precision and several GPUs, checkpoints, curves and pictures.

A crash loses the minutes since the last checkpoint: started again with the same words, the run goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from facepipe.train.loop import averaging_with


@dataclass(frozen=True)
class Recipe:
    """Numbers of a training; images count those that the network has seen, over all devices."""

    batch: int
    images: int
    peak_rate: float
    warm_up_images: int = 2000
    adversarial_from: int = 0
    """Images after which the discriminator joins; 0 for never."""
    average: float = 0.999
    seed: int = 1
    report_images: int = 800
    checkpoint_minutes: float = 4.0
    evaluate_images: int = 8000

    def rate(self, images: int) -> float:
        """Return the learning rate: a linear rise, then constant, then down to a tenth over the last third."""
        rise = min(1.0, (images + self.batch) / self.warm_up_images)
        left = (self.images - images) / (self.images / 3)
        return self.peak_rate * rise * min(1.0, max(0.1, left))


@dataclass
class Run:
    """What is saved and resumed."""

    net: nn.Module
    mean: AveragedModel
    judge: nn.Module
    optimiser: torch.optim.Optimizer
    judge_optimiser: torch.optim.Optimizer
    images: int = 0

    def state(self) -> dict[str, Any]:
        """Return all of it, as tensors and numbers."""
        parts = {name: getattr(self, name).state_dict() for name in self._parts()}
        return {**parts, "images": self.images}

    def resume(self, path: Path) -> None:
        """Take over a checkpoint."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        for name in self._parts():
            getattr(self, name).load_state_dict(state[name])
        self.images = int(state["images"])

    @staticmethod
    def _parts() -> tuple[str, ...]:
        return ("net", "mean", "judge", "optimiser", "judge_optimiser")


def new_run(net: nn.Module, judge: nn.Module, recipe: Recipe) -> Run:
    """Return a run at its beginning."""
    return Run(
        net=net,
        mean=AveragedModel(net, avg_fn=averaging_with(recipe.average), use_buffers=True),
        judge=judge,
        optimiser=torch.optim.AdamW(net.parameters(), lr=recipe.peak_rate, betas=(0.5, 0.99), weight_decay=1e-4),
        judge_optimiser=torch.optim.AdamW(judge.parameters(), lr=2 * recipe.peak_rate, betas=(0.0, 0.99)),
    )


def save(run: Run, path: Path) -> None:
    """Replace the checkpoint at once, so that a crash leaves the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(run.state(), path.with_suffix(".part"))
    path.with_suffix(".part").replace(path)


def step(optimiser: torch.optim.Optimizer, loss: Tensor, net: nn.Module, fabric: Fabric) -> None:
    """Take one step down a loss; a batch that gives no finite gradient is left out."""
    optimiser.zero_grad(set_to_none=True)
    fabric.backward(loss)
    norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    if torch.isfinite(norm):
        optimiser.step()


def train(
    run: Run,
    recipe: Recipe,
    out: Path,
    fabric: Fabric,
    *,
    batches: Callable[[int], Iterable[Any]],
    advance: Callable[[Run, Any, bool], dict[str, Tensor]],
    evaluate: Callable[[nn.Module, TensorBoardLogger, int], str],
) -> None:
    """Train until `recipe.images`, going on from OUT/checkpoint.pt where it is there.

    `advance(run, batch, adversarial)` takes one step and returns its losses, `evaluate(averaged net, curves, images)`
    draws samples and returns a line of figures; the first device alone does that.
    """
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists():
        run.resume(checkpoint)
    curves = TensorBoardLogger(str(out), name="curves")
    began, first, saved = time.monotonic(), run.images, time.monotonic()
    stream: Iterator[Any] = iter(batches(run.images))
    while run.images < recipe.images:
        for optimiser, factor in ((run.optimiser, 1.0), (run.judge_optimiser, 2.0)):
            for group in optimiser.param_groups:
                group["lr"] = factor * recipe.rate(run.images)
        adversarial = 0 < recipe.adversarial_from <= run.images
        losses = advance(run, next(stream), adversarial)
        run.mean.update_parameters(run.net)
        before, run.images = run.images, run.images + recipe.batch * fabric.world_size

        def passed(every: int, before: int = before) -> bool:
            return before // every != run.images // every or run.images >= recipe.images

        if not fabric.is_global_zero:
            continue
        if passed(recipe.report_images):
            told = {name: float(value.detach()) for name, value in losses.items()}
            curves.log_metrics(told, run.images)
            rate = (run.images - first) / (time.monotonic() - began)
            words = " ".join(f"{name} {value:.4f}" for name, value in told.items())
            print(f"{run.images} images, {rate:.1f}/s: {words}", flush=True)
        if passed(recipe.evaluate_images):
            print(f"{run.images} images: {evaluate(run.mean.module.eval(), curves, run.images)}", flush=True)
        if time.monotonic() - saved > 60 * recipe.checkpoint_minutes or run.images >= recipe.images:
            save(run, checkpoint)
            saved = time.monotonic()
