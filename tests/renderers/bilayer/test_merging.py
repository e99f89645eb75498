"""The merged generator, guidance and frames against the unmerged networks and autograd."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from facepipe.renderers.bilayer.embedder import masked
from facepipe.renderers.bilayer.enhancer import guidance, scattered
from facepipe.renderers.bilayer.fused import FusedGenerator
from facepipe.renderers.bilayer.inference import Layers, sampled
from facepipe.renderers.bilayer.joining import joined
from facepipe.renderers.bilayer.merging import Affine, Maps, MergedGenerator, merged
from facepipe.renderers.bilayer.published import Bilayer, Frames
from facepipe.renderers.bilayer.stickman import stickmen
from tests.renderers.bilayer.networks import SMALL, person, random_net
from tests.renderers.bilayer.official import close, ready, stored


def test_the_merged_generator_equals_the_stored_deployment() -> None:
    numbers = stored()
    net = ready(numbers.networks())
    assert isinstance(net, Bilayer)
    pictures = masked(numbers["input.source_imgs"], numbers["input.source_segs"])
    groups = net.inference_generator.prj_inf(net.identity_embedder(pictures, numbers["input.source_stickmen"]))
    generator = merged(net.inference_generator, groups, numbers.config)
    count = len(numbers["deploy.output.delta_uvs"])
    maps = Maps.of(generator(net.keypoints_embedder(numbers.frames("input.target_poses")[:count])))
    close(maps.delta, numbers["deploy.output.delta_uvs"])
    close(maps.low, numbers["deploy.output.lf_rgbs"])
    close(maps.mask, numbers["deploy.output.segs_logits"].sigmoid())


@pytest.mark.parametrize("width", [2, 4, 8], ids=["small", "medium", "large"])
def test_the_merge_is_exact(width: int) -> None:
    net = random_net(replace(SMALL, inference_width=width, inference_widest=2 * width)).double()
    embeddings = [torch.randn(1, channels, 8, 8, dtype=torch.float64) for channels in (16, 16, 8)]
    poses = torch.randn(2, net.config.inference_widest, 4, 4, dtype=torch.float64)
    layers = net.inference_generator(poses, embeddings)
    generator = merged(net.inference_generator, net.inference_generator.prj_inf(embeddings), net.config).double()
    maps = Maps.of(generator(poses))
    # The merged parameters are rounded to float32.
    for made, expected in zip(maps, (layers.delta, layers.low, layers.logits.sigmoid()), strict=True):
        close(made, expected, 2e-5)
        assert expected.std() > 1e-2


def test_the_form_for_a_cpu_is_exact() -> None:
    """The transposed convolutions equal upsampling and convolution, at the borders too."""
    torch.manual_seed(2)
    generator = MergedGenerator(SMALL).double().eval()
    for affine in (module for module in generator.modules() if isinstance(module, Affine)):
        nn.init.normal_(affine.scale, 1)
        nn.init.normal_(affine.shift)
    poses = torch.randn(2, SMALL.inference_widest, 4, 4, dtype=torch.float64)
    kept = poses.clone()
    expected = generator(poses)
    assert expected.std() > 0.1
    close(FusedGenerator(generator)(poses), expected, 1e-12)
    assert torch.equal(poses, kept)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_frames_in_the_form_for_a_cpu(dtype: torch.dtype) -> None:
    """In bfloat16, the maps are close on average; the texture of noise makes sampling steep."""
    net, (pictures, mattes, keypoints) = random_net(), person(1)
    prepared, driving = net.initialise(pictures, mattes, keypoints, enhance=False), torch.rand(2, 68, 2) * 2 - 1
    made = Frames(net, prepared, dtype).render(driving)
    with torch.inference_mode():
        layers = net.inference_generator(net.keypoints_embedder(driving), net.embed(pictures, mattes, keypoints))
        expected = layers.compose(prepared["texture"]).clamp(-1, 1)
    assert made.rgb.dtype == made.mask.dtype == torch.float32
    maps = Frames(net, prepared, dtype).maps(driving)
    for one, plain in zip(maps, (layers.delta, layers.low, layers.logits.sigmoid()), strict=True):
        assert (one - plain).abs().mean() < (0.03 if dtype == torch.bfloat16 else 1e-4) * plain.std()
    if dtype == torch.float32:
        close(made.rgb, expected, 1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_end_of_a_block_in_one_pass(dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    x, skipped = torch.randn(2, 5, 6, 8).to(dtype), torch.randn(2, 5, 3, 4).to(dtype)
    scale, shift = torch.randn(1, 5, 1, 1), torch.randn(1, 5, 1, 1)
    expected = x.float() + F.interpolate(skipped.float(), scale_factor=2.0, mode="nearest")
    total, activated = joined(x.clone(), skipped, scale, shift)
    step = 2**-8 if dtype == torch.bfloat16 else 1e-6
    assert total.dtype == activated.dtype == dtype
    for made, plain in ((total, expected), (activated, F.leaky_relu(expected * scale + shift, 0.2))):
        torch.testing.assert_close(made.float(), plain, rtol=step, atol=step)


def test_scattering_is_the_adjoint_of_sampling() -> None:
    torch.manual_seed(0)
    texture = torch.randn(2, 3, 9, 9, dtype=torch.float64, requires_grad=True)
    # Inside, on the border, and outside.
    places = torch.rand(2, 5, 7, 2, dtype=torch.float64) * 3 - 1.5
    values = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    (expected,) = torch.autograd.grad((sampled(texture, places) * values).sum(), texture)
    assert (places.abs() > 1).any()
    close(scattered(values, places, 9), expected, 1e-12)


def test_the_guidance_is_the_gradient() -> None:
    torch.manual_seed(0)
    texture = torch.randn(1, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    pictures = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    delta, low, logits = (torch.randn(2, channels, 16, 16, dtype=torch.float64) for channels in (2, 3, 1))
    layers = Layers(delta, low, logits)
    mask = logits.sigmoid()
    for frame in range(2):
        one = Layers(*(value[frame : frame + 1] for value in layers))
        own = mask[frame : frame + 1]
        made = one.compose(texture) * own - (1 - own)
        error = (pictures[frame : frame + 1] * own - (1 - own) - made).square().sum() / 2
        (expected,) = torch.autograd.grad(error, texture)
        close(guidance(texture.detach(), pictures, layers)[frame : frame + 1], expected, 1e-10)


def test_prepared_tensors_render_the_same_frames_as_the_networks() -> None:
    net, (pictures, mattes, keypoints) = random_net(), person(2)
    prepared = net.initialise(pictures, mattes, keypoints, enhance=True)
    driving = torch.rand(3, 68, 2) * 2 - 1
    frames = Frames(net, prepared)
    made = frames.render(driving)
    with torch.inference_mode():
        drawings = stickmen(keypoints, 32)
        embeddings = net.identity_embedder(masked(pictures, mattes)[None], drawings[None])
        texture = net.texture(embeddings, pictures, keypoints)
        layers = net.inference_generator(net.keypoints_embedder(driving), embeddings)
    close(made.rgb, layers.compose(texture).clamp(-1, 1), 1e-3)
    close(made.mask, layers.logits.sigmoid())
    assert all(
        torch.equal(*pair) for pair in zip(frames.render(driving[1:2]), (made.rgb[1:2], made.mask[1:2]), strict=True)
    )


def test_several_pictures_are_averaged() -> None:
    """Twice the same picture changes nothing; another one does. So do the pictures' order and nothing else."""
    net, (pictures, mattes, keypoints) = random_net(), person(2)
    once = net.initialise(pictures[:1], mattes[:1], keypoints[:1], enhance=True)
    twice = net.initialise(*(value[[0, 0]] for value in (pictures, mattes, keypoints)), enhance=True)
    both = net.initialise(pictures, mattes, keypoints, enhance=True)
    for name, tensor in once.items():
        close(twice[name], tensor, 1e-3)
    assert (both["texture"] - once["texture"]).abs().max() > 0.01
    plain = net.initialise(pictures[:1], mattes[:1], keypoints[:1], enhance=False)
    assert plain["texture"].abs().max() <= 1
    assert (plain["texture"] - once["texture"]).abs().max() > 0.01


def test_weights_without_an_enhancer() -> None:
    net = random_net(replace(SMALL, has_enhancer=False))
    assert "texture" in net.initialise(*person(1), enhance=False)
    with pytest.raises(ValueError, match="no texture enhancer, expected enhance=False"):
        net.initialise(*person(1), enhance=True)


def test_the_merged_graph_has_convolutions_only() -> None:
    net = random_net()
    prepared = net.initialise(*person(1), enhance=False)
    layers = {type(module) for module in Frames(net, prepared).generator.modules() if not list(module.children())}
    assert {layer.__name__ for layer in layers} <= {"Affine", "Conv2d", "ConvTranspose2d"}
    assert not any(isinstance(module, nn.BatchNorm2d) for module in Frames(net, prepared).generator.modules())


def test_harmonic_encoding() -> None:
    """All sines come before all cosines, each coordinate by coordinate."""
    net = random_net(replace(SMALL, harmonics=4)).keypoints_embedder
    points = torch.rand(2, 68, 2) * 2 - 1
    angles = [value * torch.pi * 2**power for value in points[1].flatten() for power in range(4)]
    encoded = torch.stack([angle.sin() for angle in angles] + [angle.cos() for angle in angles])
    layers = net.net["mlp"]
    assert isinstance(layers, nn.Sequential)
    close(net(points)[1].flatten(), layers(encoded), 1e-4)
    assert net.net["mlp"][0].in_features == 1088  # type: ignore[index]
