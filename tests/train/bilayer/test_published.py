"""The published training, with tiny networks: frames, a step of each stage, statistics, runs, and the weight."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import default_collate

from facepipe import weights
from facepipe.errors import WeightsError
from facepipe.face.topology import SIXTY_EIGHT
from facepipe.models.vgg import Vgg19Features
from facepipe.renderers.bilayer import renderer
from facepipe.renderers.bilayer.checkpoint import read_official
from facepipe.renderers.bilayer.config import BilayerConfig
from facepipe.renderers.bilayer.cropping import crop_box
from facepipe.renderers.bilayer.published import Bilayer, load_bilayer
from facepipe.rendering.spec import NETWORK
from facepipe.train.bilayer.mattes import Mattes, build_mattes
from facepipe.train.pirender.frame_cache import FrameCache, build_frame_cache
from tests.pipeline.scene import run
from tests.renderers.bilayer.networks import SMALL, person
from tests.renderers.bilayer.small import motion, portrait
from tests.train.pirender.test_official import TINY_VGG
from tests.train.pirender.test_official import dataset as make_dataset
from tests.train.pirender.test_pairs import SIDE, clip

pytest.importorskip("lightning_fabric", reason="needs the extra `train`")
from lightning_fabric import Fabric

from facepipe.train.bilayer import command, stages
from facepipe.train.bilayer.frames import ClipFrames, to_batch
from facepipe.train.bilayer.perceptual import LAYER_WEIGHTS, PerceptualLoss
from facepipe.train.bilayer.published import PublishedRecipe, PublishedTraining
from facepipe.train.bilayer.stages import Stage, base_made, enhanced_made
from facepipe.train.bilayer.standing import measure
from facepipe.train.pirender.loop import save, train
from tests.train.bilayer.test_compact import Halves

TINY = replace(SMALL, enhancer_steps=2)
RECIPE = PublishedRecipe(batch=2, images=4, peak_rate=2e-4, workers=0, evaluate_images=4, standing_batches=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("heads")


@pytest.fixture(scope="module")
def cache(folder: Path) -> FrameCache:
    return build_frame_cache([clip(0), clip(1, 5), clip(2, 3)], folder, SIDE)


@pytest.fixture(scope="module")
def mattes(folder: Path, cache: FrameCache) -> Mattes:
    return build_mattes(folder, cache, Halves())  # type: ignore[arg-type]


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
    assert LAYER_WEIGHTS == (0.03125, 0.0625, 0.125, 0.25, 1)
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
    assert set(dict(found.run.discriminator.named_parameters())) <= changed(found.run.discriminator, judge)
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
        plain.run.discriminator,
        plain.perceptual,
        stage="base",
        warp=10,  # type: ignore[arg-type]
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
            found.run.discriminator,
            found.perceptual,
            stage="base",
            warp=weight,  # type: ignore[arg-type]
        )
        assert ("warp" in losses) == bool(weight)
    assert float(losses["low"]) > 0
    found.run.images = 20_000 * RECIPE.batch
    assert "warp" not in found.advance(batch)


def test_statistics_are_the_means_over_batches(cache: FrameCache, mattes: Mattes) -> None:
    """Those of each batch are computed here from the input of each norm; spectral norms do not change."""
    found = training(cache, mattes)
    net = found.run.networks
    batches = [to_batch(batch) for _, batch in zip(range(3), found.batches(0), strict=False)]
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
    for name, norm in norms.items():
        assert len(inputs[name]) == 3
        assert not norm.training
        means = torch.stack([one.mean((0, 2, 3)) for one in inputs[name]])
        variances = torch.stack([one.var((0, 2, 3), unbiased=True) for one in inputs[name]])
        torch.testing.assert_close(norm.running_mean, means.mean(0), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(norm.running_var, variances.mean(0), atol=1e-5, rtol=1e-4)
        assert not torch.allclose(means[0], means[-1]) or "gen_tex.blocks.0.block_feats.0" in name
    assert all(torch.equal(value, net.get_buffer(name)) for name, value in vectors.items())


def test_a_resumed_run_equals_an_uninterrupted_one(cache: FrameCache, mattes: Mattes, tmp_path: Path) -> None:
    """Bit for bit: networks, discriminator, optimisers and the networks ready for use."""
    whole = training(cache, mattes)
    train(whole, tmp_path / "whole", whole.fabric)
    first = training(cache, mattes, images=2, evaluate_images=1000)
    train(first, tmp_path / "parts", first.fabric)
    second = training(cache, mattes)
    train(second, tmp_path / "parts", second.fabric)
    assert second.run.images == whole.run.images == second.run.measured_images == 4
    one, other = (torch.load(tmp_path / name / "checkpoint.pt") for name in ("whole", "parts"))
    assert one.keys() == other.keys()
    torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert changed(second.run.net, {**second.run.mean.module.state_dict()}) >= {
        name for name, _ in second.run.net.named_buffers() if name.endswith("running_var")
    }


@pytest.fixture(scope="module")
def base(cache: FrameCache, mattes: Mattes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained."""
    out = tmp_path_factory.mktemp("base")
    found = training(cache, mattes)
    train(found, out, found.fabric)
    return out


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
    assert set(dict(found.run.discriminator.named_parameters())) <= changed(found.run.discriminator, judge)
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


def test_runs_of_other_stages_and_sizes_are_refused(
    cache: FrameCache, mattes: Mattes, base: Path, tmp_path: Path
) -> None:
    other = training(cache, mattes, "enhancer")
    with pytest.raises(WeightsError, match=r"is of the stage base, expected enhancer: give another --out"):
        train(other, base, other.fabric)
    path = base / "checkpoint.pt"
    small = training(cache, mattes)
    small.run.config = replace(small.run.config, inference_width=8, inference_widest=16)
    with pytest.raises(WeightsError, match=r"generator of 4 to 8 channels\), expected 8 to 16: give the --size"):
        small.run.resume(path)
    torch.save({"net": {}}, tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError, match="is not a checkpoint of `facepipe train bilayer --network published`"):
        small.run.start_at(tmp_path / "checkpoint.pt")


def test_a_run_without_statistics_is_completed(cache: FrameCache, mattes: Mattes, tmp_path: Path) -> None:
    """Before the first evaluation its networks are refused. The command completes a run at its end."""
    found = training(cache, mattes)
    save(found.run, tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError, match=r"no standing statistics .* --images 1"):
        read_official(tmp_path)
    found.run.images = 2
    found.complete(tmp_path)
    assert read_official(tmp_path).notes == (
        f"{tmp_path / 'checkpoint.pt'} has no texture enhancer (--stage enhancer trains one): "
        "textures are not enhanced",
    )
    found.run.images = 6
    save(found.run, tmp_path / "checkpoint.pt")
    assert "are those after 2 images of 6" in read_official(tmp_path / "checkpoint.pt").notes[0]


def test_both_stages_by_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a data set to a weight that renders, with the textures of the trained enhancer."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setattr(command, "Matting", lambda _path: Halves())
    monkeypatch.setattr(command, "open_vgg19", lambda *, average: perceptual().vgg)
    monkeypatch.setattr(BilayerConfig, "of", classmethod(lambda cls, size: TINY))
    monkeypatch.setattr(command, "PublishedRecipe", lambda *args, **options: replace(RECIPE, workers=0))
    common = ["--dataset", make_dataset(tmp_path / "set"), "--cache", tmp_path / "cache", "--network", "published"]
    stages_ = (["--out", tmp_path / "base"], ["--out", tmp_path / "run", "--stage", "enhancer", "--begin-with"])
    command.main([*map(str, common), *map(str, stages_[0])])
    command.main([*map(str, common), *map(str, stages_[1]), str(tmp_path / "base/checkpoint.pt")])
    outcome = run("weights", "add", "bilayer", tmp_path / "run", "--name", "mine")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    entry = weights.lookup("mine")
    assert (entry.space, entry.licence, entry.page) == ("keypoints68", "unknown", "")
    threads = torch.get_num_threads()
    loaded = load_bilayer(weights.find("mine").path)
    torch.set_num_threads(threads)
    assert loaded.config == TINY
    trained = torch.load(tmp_path / "run/checkpoint.pt")
    net = Bilayer(replace(TINY, spectral_norm=True)).eval()
    net.load_state_dict(
        {name.removeprefix("module."): one for name, one in trained["mean"].items() if name != "n_averaged"}
    )
    given = person(1)
    torch.testing.assert_close(
        loaded.texture(loaded.embed(*given), given[0], given[2]), net.texture(net.embed(*given), given[0], given[2]),
        atol=1e-4, rtol=1e-3,
    )  # fmt: skip
    files = {NETWORK: weights.find("mine").path}
    frames = list(renderer.open_renderer(files, portrait(), prior=None, prepared=None, compiled=False)(motion(2), 0, 2))
    assert frames[0].shape == (128, 128, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stage", "enhancer", "--network", "published"], "give --begin-with RUN/checkpoint.pt"),
        (["--size", "small"], "--size is an option of --network published"),
        (["--batch", "6"], "give a multiple of 4"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = [f"--{name}={tmp_path / name}" for name in ("dataset", "cache", "out")]
    with pytest.raises(SystemExit) as ended:
        command.main([*places, *options])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_the_error_without_vgg_gives_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes before anything is unpacked."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "none"))
    places = [f"--{name}={tmp_path / name}" for name in ("dataset", "cache", "out")]
    outcome = run("train", "bilayer", *places, "--network", "published")
    assert outcome.exit_code == 3
    assert "facepipe weights add vgg19" in outcome.stderr
    assert not (tmp_path / "cache").exists()
