"""Tiny published networks, their frames and losses, for the training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from facepipe.models.vgg import Vgg19Features
from facepipe.train.bilayer.mattes import Mattes
from facepipe.train.bilayer.perceptual import PerceptualLoss
from facepipe.train.bilayer.published import PublishedRecipe, PublishedTraining
from facepipe.train.bilayer.stages import Stage
from facepipe.train.pirender.frame_cache import FrameCache
from tests.renderers.bilayer.networks import SMALL
from tests.train.pirender.test_official import TINY_VGG

TINY = replace(SMALL, enhancer_steps=2)
RECIPE = PublishedRecipe(batch=2, images=4, peak_rate=2e-4, workers=0, evaluate_images=4, standing_batches=3)


def perceptual() -> PerceptualLoss:
    torch.manual_seed(0)
    return PerceptualLoss(Vgg19Features(TINY_VGG, average=True).eval().requires_grad_(False))


def training(cache: FrameCache, mattes: Mattes, stage: Stage = "base", **changes: Any) -> PublishedTraining:
    fabric = Fabric(accelerator="cpu", devices=1)
    recipe = replace(RECIPE, **changes)
    return PublishedTraining(recipe, fabric, (cache, cache), (mattes, mattes), perceptual(), TINY, stage)


def copied(net: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in net.state_dict().items()}


def changed(net: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
