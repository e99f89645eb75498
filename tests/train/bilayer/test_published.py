"""The published training, with tiny networks: frames, a step of each stage, and standing statistics."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import default_collate

from facepipe.face.topology import SIXTY_EIGHT
from facepipe.renderers.bilayer.cropping import crop_box
from facepipe.renderers.bilayer.discriminator import Discriminator
from tests.renderers.bilayer.networks import person
from tests.train.pirender.test_pairs import SIDE, clip

pytest.importorskip("lightning_fabric", reason="needs the extra `train`")
from facepipe.train.bilayer import stages
from facepipe.train.bilayer.frames import ClipFrames, to_batch
from facepipe.train.bilayer.mattes import Mattes, build_mattes
from facepipe.train.bilayer.perceptual import LAYER_WEIGHTS
from facepipe.train.bilayer.stages import base_made, enhanced_made
from facepipe.train.bilayer.standing import measure
from facepipe.train.pirender.frame_cache import FrameCache, build_frame_cache
from facepipe.train.pirender.loop import train
from tests.train.bilayer.test_compact import Halves
from tests.train.bilayer.tiny import RECIPE, TINY, changed, copied, perceptual, training


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("heads")


@pytest.fixture(scope="module")
def cache(folder: Path) -> FrameCache:
    return build_frame_cache([clip(0), clip(1, 5), clip(2, 3)], folder, SIDE)


@pytest.fixture(scope="module")
def mattes(folder: Path, cache: FrameCache) -> Mattes:
    return build_mattes(folder, cache, Halves())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def base(cache: FrameCache, mattes: Mattes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained."""
    out = tmp_path_factory.mktemp("base")
    found = training(cache, mattes)
    train(found, out, found.fabric)
    return out


def trained(discriminator: nn.Module) -> set[str]:
    """Return the names of the parameters that matter: what is added to all scores is no part of their differences."""
    return {name for name, _ in discriminator.named_parameters()} - {"net.linear.bias"}


def test_an_epoch_takes_every_clip_once(cache: FrameCache, mattes: Mattes) -> None:
    """Frames follow the published rule, from a random start; a pair depends on its number only."""
    frames = ClipFrames(cache, mattes, 32, 3)
    found = [frames.rows(index) for index in range(12)]
    assert [{clip for clip, *_ in found[start : start + 3]} for start in (0, 3, 6, 9)] == [{0, 1, 2}] * 4
    again = ClipFrames(cache, mattes, 32, 3)
    assert [again.rows(index) for index in reversed(range(12))] == found[::-1]
    position, rows = frames.begin[1], []
    for _ in range(8):
        position = (position + 5**0.5) % 1
        rows.append([0, 2, 3, 4][round(position * 3)])
    assert [row for clip, *pair in found if clip == 1 for row in pair] == rows
    assert ClipFrames(cache, mattes, 32, 4).begin[1] != frames.begin[1]


def test_both_frames_are_cut_by_the_box_of_the_source(cache: FrameCache, mattes: Mattes) -> None:
    """The box is the published one, up to its rounding to pixels; the keypoints are the tracked landmarks."""
    pair = ClipFrames(cache, mattes, 64, 0).pair(0, 0, 2)
    points = [np.asarray(cache.points[row], float)[list(SIXTY_EIGHT), :2] for row in (0, 2)]
    box = crop_box(points[0])
    for side, own in zip(pair, points, strict=True):
        # Landmarks are at centres of pixels, half a pixel from the corners to which the published box is rounded.
        np.testing.assert_allclose(side.keypoints, box.normalised(own), atol=3 / box.half_pixels)
        assert side.picture.shape == side.drawing.shape == (3, 64, 64)
        assert side.matte.shape == (1, 64, 64)
        assert 0 < float(side.matte.mean()) < 1
    cut = torch.from_numpy(box.cut(np.asarray(cache.frames[2]))).permute(2, 0, 1)[None].float()
    wanted = functional.interpolate(cut, 64, mode="bilinear", antialias=True)[0]
    assert float((pair.target.picture.float() - wanted).abs().mean()) < 10
    assert float(pair.target.matte.sum()) > float(pair.source.matte.sum())


def test_the_perceptual_loss_weighs_layers_and_pools_by_averages() -> None:
    loss = perceptual()
    made, truth = torch.rand(1, 3, 32, 32) * 2 - 1, torch.rand(1, 3, 32, 32) * 2 - 1
    x, y = loss.normalised(made), loss.normalised(truth)
    assert [type(layer) for layer in loss.vgg.features if "Pool" in type(layer).__name__] == [nn.AvgPool2d] * 4
    gaps = []
    for index, layer in enumerate(loss.vgg.features):
        x, y = layer(x), layer(y)
        if index in loss.vgg.taken:
            gaps.append(float((x - y).abs().mean()))
    wanted = sum(weight * gap for weight, gap in zip(LAYER_WEIGHTS, gaps, strict=True))
    assert list(LAYER_WEIGHTS) == [0.03125, 0.0625, 0.125, 0.25, 1]
    assert float(loss(made, truth)) == pytest.approx(wanted, rel=1e-5)


def test_a_step_of_the_base_changes_networks_and_discriminator(cache: FrameCache, mattes: Mattes) -> None:
    """All of them, by the published optimiser; the discriminator gets gradients from its own loss only."""
    found = training(cache, mattes)
    assert found.run.networks.texture_enhancer is None
    before, judge = copied(found.run.net), copied(found.run.discriminator)
    losses = found.advance(next(iter(found.batches(0))))
    assert set(losses) == {"discriminator", "adversarial", "matching", "perceptual", "low", "mask", "warp"}
    parameters = dict(found.run.net.named_parameters())
    same = set(parameters) - changed(found.run.net, before)
    # The second half of the embedder's last block has no effect.
    last = f"identity_embedder.net.dec_blocks.{TINY.texture_stages - 1}."
    assert {name.removeprefix(last).split(".")[0] for name in same} <= {"block", "skip"}
    assert all(name.startswith(last) for name in same)
    assert trained(found.run.discriminator) <= changed(found.run.discriminator, judge)
    for optimiser in (found.run.optimiser, found.run.discriminator_optimiser):
        (group,) = optimiser.param_groups
        assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (2e-4, (0.5, 0.999), 1e-7, 0)


def test_both_steps_are_those_of_one_backward(cache: FrameCache, mattes: Mattes) -> None:
    """The published training adds all losses and updates everything at once."""
    found, plain = training(cache, mattes), training(cache, mattes)
    batch = next(iter(found.batches(0)))
    found.advance(batch)
    tensors = to_batch(batch)
    made = base_made(plain.run.networks, tensors)
    losses = stages.losses_of(
        made,
        tensors.target,
        cast(Discriminator, plain.run.discriminator),
        plain.perceptual,
        stage="base",
        warp=10,
    )
    torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
    for one, other in ((found.run.net, plain.run.net), (found.run.discriminator, plain.run.discriminator)):
        for (name, got), wanted in zip(one.named_parameters(), other.parameters(), strict=True):
            if wanted.grad is not None:
                torch.testing.assert_close(got.grad, wanted.grad, msg=name)


def test_the_warp_is_regularised_until_its_weight_has_decayed(cache: FrameCache, mattes: Mattes) -> None:
    found = training(cache, mattes)
    batch = next(iter(found.batches(0)))
    made = base_made(found.run.networks, to_batch(batch))
    for weight in (10.0, 0.0):
        losses = stages.losses_of(
            made,
            to_batch(batch).target,
            cast(Discriminator, found.run.discriminator),
            found.perceptual,
            stage="base",
            warp=weight,
        )
        assert ("warp" in losses) == bool(weight)
    assert float(losses["low"].detach()) > 0
    found.run.images = 20_000 * RECIPE.batch
    assert "warp" not in found.advance(batch)


def test_statistics_are_the_means_over_batches(cache: FrameCache, mattes: Mattes) -> None:
    """Those of each batch are computed here from the input of each norm; spectral norms do not change."""
    found = training(cache, mattes)
    net = found.run.networks
    batches = [to_batch(batch) for _, batch in zip(range(3), found.batches(0), strict=False)]
    # The vectors of new spectral norms are random, and weights divided by what they estimate have any size.
    for batch in batches:
        base_made(net, batch)
    norms = {name: norm for name, norm in net.named_modules() if isinstance(norm, nn.BatchNorm2d)}
    inputs: dict[str, list[Tensor]] = {name: [] for name in norms}
    handles = [
        norm.register_forward_pre_hook(lambda _, given, name=name: inputs[name].append(given[0].detach()))
        for name, norm in norms.items()
    ]
    vectors = {name: value.clone() for name, value in net.named_buffers() if "weight_" in name}
    measure(net, batches, lambda batch: base_made(net, batch))
    for handle in handles:
        handle.remove()
    varied = 0
    for name, norm in norms.items():
        assert len(inputs[name]) == 3
        assert not norm.training
        means = torch.stack([one.mean((0, 2, 3)) for one in inputs[name]])
        variances = torch.stack([one.var((0, 2, 3), unbiased=True) for one in inputs[name]])
        torch.testing.assert_close(norm.running_mean, means.mean(0), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(norm.running_var, variances.mean(0), atol=1e-5, rtol=1e-4)
        varied += not torch.allclose(means[-1], means.mean(0), rtol=0.01)
    # The first norms of the texture generator see the same learned tensor in every batch.
    assert varied > len(norms) / 2
    assert all(torch.equal(value, net.get_buffer(name)) for name, value in vectors.items())


def test_the_second_stage_trains_the_enhancer_alone(cache: FrameCache, mattes: Mattes, base: Path) -> None:
    """The base keeps every tensor, statistics and vectors of spectral norms too: those of the finished run."""
    found = training(cache, mattes, "enhancer")
    found.run.start_at(base / "checkpoint.pt")
    stored = torch.load(base / "checkpoint.pt")
    ready = {name.removeprefix("module."): value for name, value in stored["mean"].items()}
    before, judge = copied(found.run.net), copied(found.run.discriminator)
    torch.testing.assert_close(judge, dict(stored["judge"]), rtol=0, atol=0)
    stream = iter(found.batches(0))
    losses = found.advance(next(stream))
    found.advance(next(stream))
    assert set(losses) == {"discriminator", "adversarial", "matching", "perceptual"}
    moved = changed(found.run.net, before)
    assert {name.split(".")[0] for name in moved} == {"texture_enhancer"}
    enhancer = {name for name, _ in found.run.net.named_parameters() if name.startswith("texture_enhancer")}
    assert enhancer <= moved
    for name, value in found.run.net.state_dict().items():
        if not name.startswith("texture_enhancer"):
            assert torch.equal(value, ready[name]), name
    assert trained(found.run.discriminator) <= changed(found.run.discriminator, judge)
    metrics, sheet = found.evaluate(found.run.mean.module.eval())
    assert set(metrics) == {"psnr result", "psnr unmoved", "iou mask"}
    assert sheet.shape == (3 * 32, 7 * 32, 3)
    # Measuring is for the base: here its statistics remain.
    for name, value in found.run.mean.module.named_buffers():
        assert name.startswith("texture_enhancer") or torch.equal(value, ready[name]), name


def test_textures_of_a_batch_are_enhanced_one_by_one(cache: FrameCache, mattes: Mattes, base: Path) -> None:
    """As in use, person by person, and every step's guidance is constant: it lets no gradient through."""
    found = training(cache, mattes, "enhancer")
    found.run.start_at(base / "checkpoint.pt")
    net = found.run.networks.eval()
    assert net.texture_enhancer is not None
    pairs = [to_batch(default_collate([found.frames[index]])) for index in range(2)]
    both = to_batch(default_collate([found.frames[index] for index in range(2)]))
    textures = enhanced_made(net, both).texture
    for one, texture in zip(pairs, textures, strict=True):
        source = one.source
        embeddings = net.embed(source.picture, source.matte, source.keypoints)
        wanted = net.texture(embeddings, source.picture, source.keypoints)
        torch.testing.assert_close(texture[None], wanted, atol=2e-4, rtol=1e-3)
    start = torch.zeros(1, 3, 32, 32, requires_grad=True)
    pictures, _, keypoints = person(1)
    layers = net.inference_generator(net.keypoints_embedder(keypoints), embeddings)
    steps = net.texture_enhancer.trace(start, pictures, layers)
    (gradient,) = torch.autograd.grad(steps[0].inputs.sum(), start)
    assert torch.equal(gradient, torch.ones_like(gradient))
