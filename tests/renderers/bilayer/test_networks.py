"""The networks against stored outputs of the published ones."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from facepipe.renderers.bilayer.config import BilayerConfig, Size
from facepipe.renderers.bilayer.discriminator import Discriminator
from facepipe.renderers.bilayer.embedder import masked
from facepipe.renderers.bilayer.inference import InferenceGenerator
from facepipe.renderers.bilayer.keypoints import KeypointsEmbedder
from facepipe.renderers.bilayer.published import Bilayer
from tests.fixtures import FOLDER
from tests.renderers.bilayer.official import SAMPLED_TOLERANCE, Stored, close, close_activations, ready, stored

KINDS = {True: "parameter", False: "buffer"}


@pytest.fixture(scope="module")
def numbers() -> Stored:
    return stored()


@pytest.fixture(scope="module")
def net(numbers: Stored) -> Bilayer:
    made = ready(numbers.networks())
    assert isinstance(made, Bilayer)
    return made


@pytest.fixture(scope="module")
def embeddings(numbers: Stored, net: Bilayer) -> list[Tensor]:
    pictures = masked(numbers["input.source_imgs"], numbers["input.source_segs"])
    made: list[Tensor] = net.identity_embedder(pictures, numbers["input.source_stickmen"])
    return made


def test_embeddings(numbers: Stored, embeddings: list[Tensor]) -> None:
    assert len(embeddings) == numbers.config.texture_stages
    for index, embedding in enumerate(embeddings):
        close(embedding, numbers[f"output.source_idt_embeds.{index}"])


def test_poses(numbers: Stored, net: Bilayer) -> None:
    for kind in ("source", "target"):
        close(
            net.keypoints_embedder(numbers.frames(f"input.{kind}_poses")), numbers.frames(f"output.{kind}_pose_embeds")
        )


@pytest.mark.parametrize("kind", ["tex", "inf"])
def test_adaptive_parameters(kind: str, numbers: Stored, net: Bilayer, embeddings: list[Tensor]) -> None:
    projector = net.texture_generator.prj_tex if kind == "tex" else net.inference_generator.prj_inf
    predicted = [one for group in projector(embeddings) for one in group]
    assert len(predicted) == (5 if kind == "tex" else 3) * numbers.config.texture_stages
    # The stored order is that of the calls: the parameters of the layers of a block, norms before the skip connection.
    for index, one in enumerate(predicted):
        weight = numbers[f"output.adaptive_{kind}.{index}.weight"]
        close(one.weight, weight.flatten(2) if weight.dim() > 2 else weight)
        close(one.bias, numbers[f"output.adaptive_{kind}.{index}.bias"])


def test_textures(numbers: Stored, net: Bilayer, embeddings: list[Tensor]) -> None:
    generator = net.texture_generator
    trace = generator.gen_tex.trace(generator.gen_tex_input, generator.prj_tex(embeddings))
    for block in range(3):
        close_activations(trace[block], numbers[f"output.debug.gen_tex.blocks.{block}"])
    close(generator(embeddings), numbers.frames("output.pred_tex_hf_rgbs"))


def test_frames(numbers: Stored, net: Bilayer, embeddings: list[Tensor]) -> None:
    poses, generator = net.keypoints_embedder(numbers.frames("input.target_poses")), net.inference_generator
    layers = generator(poses, embeddings)
    for block, made in enumerate(generator.gen_inf.trace(poses, generator.prj_inf(embeddings))[:3]):
        close_activations(made, numbers[f"output.debug.gen_inf.blocks.{block}"])
    close(layers.delta, numbers.frames("output.pred_target_delta_uvs"))
    close(layers.low, numbers.frames("output.pred_target_delta_lf_rgbs"))
    close(layers.logits, numbers.frames("output.pred_target_segs_logits"))
    picture = layers.compose(net.texture_generator(embeddings))
    close(picture - layers.low, numbers.frames("output.pred_target_delta_hf_rgbs"), SAMPLED_TOLERANCE)
    close(picture, numbers.frames("output.pred_target_imgs"), SAMPLED_TOLERANCE)


def test_the_enhancer(numbers: Stored, net: Bilayer, embeddings: list[Tensor]) -> None:
    assert net.texture_enhancer is not None
    texture, pictures = net.texture_generator(embeddings), numbers.frames("input.source_imgs")
    source = net.inference_generator(net.keypoints_embedder(numbers.frames("input.source_poses")), embeddings)
    close(source.places(), numbers.frames("output.pred_source_uvs"))
    close(source.low, numbers.frames("output.pred_source_delta_lf_rgbs"))
    steps = net.texture_enhancer.trace(texture, pictures, source)
    assert len(steps) == 4
    for index in (0, 3):
        close(steps[index].inputs, numbers[f"output.enh_net_input.{index}"], SAMPLED_TOLERANCE)
        close(steps[index].update, numbers[f"output.enh_net_output.{index}"].tanh(), SAMPLED_TOLERANCE)
    enhanced = net.texture_enhancer(texture, pictures, source)
    close(enhanced, numbers.frames("output.pred_enh_tex_hf_rgbs"), SAMPLED_TOLERANCE)
    target = net.inference_generator(net.keypoints_embedder(numbers.frames("input.target_poses")), embeddings)
    picture = target.compose(enhanced)
    close(picture - target.low, numbers.frames("output.pred_enh_target_delta_hf_rgbs"), SAMPLED_TOLERANCE)
    close(picture, numbers.frames("output.pred_enh_target_imgs"), SAMPLED_TOLERANCE)


def test_the_discriminator(numbers: Stored) -> None:
    net = ready(numbers.discriminator())
    assert isinstance(net, Discriminator)
    stickmen, real = numbers.frames("input.target_stickmen"), numbers.frames("input.target_imgs")
    for fakes, name in (("pred_target_imgs", "dis_base"), ("pred_enh_target_imgs", "dis_enh")):
        judged = net.compare(real, numbers.frames(f"output.{fakes}"), stickmen)
        for one, kind in zip(judged, ("real", "fake"), strict=True):
            close(one.scores, numbers.frames(f"output.{name}.{kind}_scores"))
            for block in (2, 3) if name == "dis_base" else ():
                close(one.features[block][:1], numbers[f"output.dis_base.t0.{kind}_feats.{block}"])
    net.train()
    judged = net.compare(real[:1], numbers.frames("output.pred_target_imgs")[:1], stickmen[:1])
    for one, kind in zip(judged, ("real", "fake"), strict=True):
        close(one.scores, numbers[f"output.dis_bn_batch_stats.{kind}_scores"])


@pytest.fixture
def _uninitialised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build large networks fast: memory is not written, and the meta device need not import the compiler."""
    for layer in (nn.Conv2d, nn.Linear):
        monkeypatch.setattr(layer, "reset_parameters", lambda _layer: None)


@pytest.mark.usefixtures("_uninitialised")
def test_tensors_are_the_published_ones() -> None:
    table = FOLDER.parent / "specs/bilayer_keys.tsv"
    if not table.is_file():
        pytest.skip(f"{table} does not exist")
    published = defaultdict(list)
    with table.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            published[row.pop("network")].append(tuple(row.values()))
    assert sum(map(len, published.values())) == 1161
    config = BilayerConfig(spectral_norm=True)
    networks = {**dict(Bilayer(config).named_children()), "discriminator": Discriminator(config)}
    assert networks.keys() == published.keys()
    for name, network in networks.items():
        assert list(rows_of(network)) == published[name], name


def rows_of(network: nn.Module) -> list[tuple[str, str, str, str]]:
    parameters = dict(network.named_parameters())
    return [
        (
            key,
            "x".join(map(str, value.shape)) or "scalar",
            str(value.dtype).removeprefix("torch."),
            KINDS[key in parameters],
        )
        for key, value in network.state_dict().items()
    ]


# Multiply-accumulates in G of the generator's convolutions, and in M of the keypoint embedder and of the norms.
@pytest.mark.usefixtures("_uninitialised")
@pytest.mark.parametrize(
    ("size", "generator", "embedder", "norms"),
    [("small", 1.107, 0.69, 2.51), ("medium", 4.313, 1.21, 5.02), ("large", 17.025, 2.26, 10.04)],
)
def test_multiply_accumulates(size: Size, generator: float, embedder: float, norms: float) -> None:
    with torch.device("meta"):
        config = BilayerConfig.of(size)
        inference, pose = InferenceGenerator(config).eval(), KeypointsEmbedder(config)
        embeddings = [torch.zeros(1, width, 8, 8) for width in (512, 512, 512, 256, 128, 64)]
        groups, keypoints = inference.prj_inf(embeddings), torch.zeros(1, 136)
        elements: list[int] = []
        for module in inference.gen_inf.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_hook(lambda _module, inputs, _made: elements.append(inputs[0].numel()))
        poses = torch.zeros(1, config.inference_widest, 4, 4)
        assert counted(lambda: inference.generate(poses, groups)) / 1e9 == pytest.approx(generator, rel=1e-3)
        assert counted(lambda: pose(keypoints)) / 1e6 == pytest.approx(embedder, abs=0.01)
    assert sum(elements) / 1e6 == pytest.approx(norms, abs=0.01)
    if size == "medium":  # The paper's figure.
        assert generator + (embedder + norms) / 1e3 == pytest.approx(4.32, rel=0.01)


def counted(function: Callable[[], object]) -> float:
    """Return the multiply-accumulates of matrix products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        function()
    return int(counter.get_total_flops()) / 2
