"""Losses and gradients of one training step against stored ones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from facepipe.renderers.bilayer.discriminator import Discriminator
from facepipe.renderers.bilayer.embedder import masked
from facepipe.renderers.bilayer.inference import Layers
from facepipe.renderers.bilayer.published import Bilayer
from facepipe.train.bilayer.losses import (
    ADVERSARIAL_WEIGHT,
    MATCHING_WEIGHT,
    PIXEL_WEIGHT,
    SEGMENTATION_WEIGHT,
    WARP_WEIGHT,
    WarpDecay,
    dice_loss,
    discriminator_loss,
    generator_loss,
    matching_loss,
    pixel_loss,
    segmentation_loss,
    warp_loss,
)
from tests.renderers.bilayer.official import SAMPLED_TOLERANCE, Stored, close, stored

# Gradients that do not pass through the places of samples. That of a sample jumps where its place crosses from one
# pixel to the next, so the others change by up to 1.6 % with the number of threads.
SMOOTH = ("discriminator.", "inference_generator.gen_inf.heads.1.", "inference_generator.gen_inf.heads.2.")


class Step:
    """The stored step, repeated: all networks in training mode, all losses but the perceptual one, one backward."""

    def __init__(self, numbers: Stored) -> None:
        self.numbers, self.net, self.discriminator = numbers, numbers.networks(), numbers.discriminator()
        give = {name: numbers[f"input.train.{name}"] for name in ("source_imgs", "source_segs", "source_stickmen")}
        target, stickmen, matte = (numbers[f"input.train.target_{name}"][:, 0] for name in ("imgs", "stickmen", "segs"))
        pictures = masked(give["source_imgs"], give["source_segs"])
        embeddings = self.net.identity_embedder(pictures, give["source_stickmen"])
        texture = self.net.texture_generator(embeddings)
        poses = self.net.keypoints_embedder(numbers["input.train.target_poses"][:, 0])
        self.layers: Layers = self.net.inference_generator(poses, embeddings)
        mask = self.layers.logits.detach().sigmoid()
        self.fake, real = masked(self.layers.compose(texture), mask), masked(target, mask)
        first = self.discriminator.compare(real, self.fake.detach(), stickmen)
        self.scores = tuple(one.scores for one in first)
        # The weights get no gradient from the generator's losses, and are not touched by them afterwards.
        self.discriminator.requires_grad_(False)
        second = self.discriminator.compare(real, self.fake, stickmen)
        self.discriminator.requires_grad_(True)
        self.second_fake = second[1].scores
        self.losses = {
            "D_ADV": ADVERSARIAL_WEIGHT * discriminator_loss(*self.scores),
            "G_ADV": ADVERSARIAL_WEIGHT * generator_loss(first[0].scores.detach(), second[1].scores),
            "G_FM": MATCHING_WEIGHT * matching_loss(second[0].features, second[1].features),
            "G_L1": PIXEL_WEIGHT * pixel_loss(self.layers.low, target, self.layers.logits),
            "G_BCE": SEGMENTATION_WEIGHT * segmentation_loss(self.layers.logits, matte),
            "G_WPR": WARP_WEIGHT * warp_loss(self.layers.delta),
        }
        torch.stack(list(self.losses.values())).sum().backward()  # type: ignore[no-untyped-call]

    def network(self, name: str) -> Bilayer | Discriminator | nn.Module:
        return self.discriminator if name == "discriminator" else self.net.get_submodule(name)


@pytest.fixture(scope="module")
def step() -> Step:
    return Step(stored())


def test_the_stored_losses(step: Step) -> None:
    numbers = step.numbers
    for name, loss in step.losses.items():
        assert float(loss.detach()) == pytest.approx(float(numbers[f"output.train.loss.{name}"]), rel=1e-4), name
    close(step.scores[0], numbers["output.train.real_scores"], SAMPLED_TOLERANCE)
    close(step.scores[1], numbers["output.train.fake_scores_dis"], SAMPLED_TOLERANCE)
    close(step.second_fake, numbers["output.train.fake_scores_gen"], SAMPLED_TOLERANCE)
    close(step.layers.delta, numbers["output.train.pred_target_delta_uvs"][:, 0])
    close(step.layers.logits, numbers["output.train.pred_target_segs_logits"][:, 0])
    close(step.fake, numbers["output.train.pred_target_imgs"][:, 0], SAMPLED_TOLERANCE)


def test_the_stored_gradients(step: Step) -> None:
    start = "output.train.grad."
    stored_gradients = {
        name.removeprefix(start): value for name, value in step.numbers.tensors.items() if start in name
    }
    assert len(stored_gradients) > 20
    for name, expected in stored_gradients.items():
        network, _, parameter = name.partition(".")
        made = step.network(network).get_parameter(parameter).grad
        assert made is not None, name
        close(made, expected, (1e-3 if name.startswith(SMOOTH) else 3e-2) * float(expected.abs().max()))


def test_the_stored_state_after_the_step(step: Step) -> None:
    """Batch norms keep the statistics of the last batch; spectral norms made one iteration per call."""
    start, count = "output.train.state_after.", 0
    for name, expected in step.numbers.tensors.items():
        if name.startswith(start):
            network, _, buffer = name.removeprefix(start).partition(".")
            close(step.network(network).get_buffer(buffer), expected, 1e-4)
            count += 1
    assert count


def test_the_unused_half_of_the_last_block_gets_no_gradient(step: Step) -> None:
    expected = step.numbers.sidecar["train_section"]
    for name, network in (*step.net.named_children(), ("discriminator", step.discriminator)):
        if name != "texture_enhancer":
            without = [key for key, parameter in network.named_parameters() if parameter.grad is None]
            assert sorted(without) == sorted(expected[f"params_without_grad.{name}"])


def test_the_weight_of_the_warp_decays_until_it_ends() -> None:
    decay = WarpDecay()
    assert [decay.at(iteration) for iteration in (0, 49, 50, 100)] == pytest.approx([10, 10, 9, 8.1])
    ended = next(iteration for iteration in range(20_000) if decay.at(iteration) == 0)
    # About 175 reductions (supplementary: some 8,600 iterations).
    assert 8_600 <= ended <= 8_800
    assert decay.at(ended - 1) > 1e-7


def test_dice_is_zero_for_a_perfect_mask() -> None:
    matte = (torch.arange(16).reshape(1, 1, 4, 4) % 3 == 0).float()
    logits = (matte * 2 - 1) * 50
    assert float(dice_loss(logits, matte)) == pytest.approx(0, abs=1e-5)
    assert float(dice_loss(-logits, matte)) > 10
    half: Tensor = dice_loss(torch.zeros_like(matte), matte)
    assert float(half) == pytest.approx(float(torch.log((16 * 0.25 + matte.sum()) / matte.sum())), rel=1e-5)
