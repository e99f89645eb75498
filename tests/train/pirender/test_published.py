"""The paper's training, with tiny networks in its own shapes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from facepipe.errors import WeightsError
from facepipe.models.vgg import LAYERS, Vgg19Features, vgg19_of
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.train.pirender.perceptual import VggLoss, gram, paper_losses
from tests.face.faces import face_model
from tests.renderers.painted import paint
from tests.train.material import heads as moving

pytest.importorskip("lightning_fabric", reason="needs the extra `train`")
from lightning_fabric import Fabric

from facepipe.train.pirender.command import RECIPES
from facepipe.train.pirender.frames import FramePairs, both_ways
from facepipe.train.pirender.heads import HeadClip, Heads, build_heads
from facepipe.train.pirender.loop import Recipe
from facepipe.train.pirender.published import PaperRecipe, PublishedTraining, open_vgg, rows_of

SIDE = 128  # after three halvings VGG halves four times more
TINY_VGG = ((4, 4), (4, 4), (6, 6), (6,), (8,))
TINY = PirenderConfig(vector=16, warping_width=8, editing_width=8, widest=16, residual_blocks=1, unused_branch=False)


def heads(folder: object) -> Heads:
    clips = []
    for number in range(2):
        points = moving(4, seed=number, person=number).astype(np.float64) * (SIDE / 160)
        valid = np.array([True, False, True, True])
        clips.append(HeadClip(f"c{number}", f"p{number}", [paint(face, SIDE) for face in points], points, valid))
    return build_heads(clips, folder, SIDE)  # type: ignore[arg-type]


def loss() -> VggLoss:
    torch.manual_seed(0)
    return VggLoss(Vgg19Features(TINY_VGG).eval().requires_grad_(False))


def training(found: Heads, fabric: Fabric) -> PublishedTraining:
    """The warp alone for the first 20 images."""
    recipe = PaperRecipe(batch=2, images=40, peak_rate=1e-3, workers=0)
    return PublishedTraining(recipe, fabric, found, found, face_model(), loss(), TINY)


def test_vgg_is_torchvisions_up_to_relu5_1() -> None:
    """Indices and widths of the convolutions, and the five maps' places and sizes."""
    net = Vgg19Features()
    assert tuple(net.taken) == LAYERS
    convolutions = {
        index: layer.out_channels for index, layer in enumerate(net.features) if isinstance(layer, nn.Conv2d)
    }
    assert list(convolutions) == [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28]
    assert [convolutions[index - 1] for index in LAYERS] == [64, 128, 256, 512, 512]
    with torch.no_grad():
        assert [one.shape[-1] for one in Vgg19Features(TINY_VGG)(torch.rand(1, 3, 32, 32))] == [32, 16, 8, 4, 2]


def test_a_state_of_another_network_is_refused() -> None:
    with pytest.raises(KeyError):
        vgg19_of({"features.0.weight": torch.zeros(64, 3, 3, 3)})


def test_without_vgg_the_error_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"vgg19-dcbb9e9d.pth .*facepipe weights add vgg19"):
        open_vgg()


def test_gram_matrices_are_products_of_channels() -> None:
    """Against plain sums."""
    maps = torch.rand(2, 3, 4, 5)
    wanted = torch.zeros(2, 3, 3)
    for one in range(3):
        for other in range(3):
            wanted[:, one, other] = (maps[:, one] * maps[:, other]).sum((1, 2)) / (3 * 4 * 5)
    torch.testing.assert_close(gram(maps), wanted)


def test_content_is_a_sum_over_scales_and_layers() -> None:
    """Against a plain loop; zero for equal pictures; the weights are the paper's."""
    vgg = loss()
    made, truth = torch.rand(1, 3, SIDE, SIDE) * 2 - 1, torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    wanted = 0.0
    one, other = vgg.normalised(made), vgg.normalised(truth)
    for _ in range(4):
        wanted += sum(float((a - b).abs().mean()) for a, b in zip(vgg.vgg(one), vgg.vgg(other), strict=True))
        one, other = (functional.interpolate(part, size=part.shape[-1] // 2, mode="bilinear") for part in (one, other))
    torch.testing.assert_close(float(vgg.content(made, truth)), wanted, rtol=1e-5, atol=1e-6)
    assert vgg.content(made, made) == 0
    losses = paper_losses(vgg, made, made, truth)
    torch.testing.assert_close(losses["content"] / losses["warp"], torch.tensor(4 / 2.5))
    torch.testing.assert_close(losses["style"], 1000 * vgg.style(made, truth))
    assert set(paper_losses(vgg, made, None, truth)) == {"warp"}


def test_pairs_go_both_ways_and_know_their_windows(tmp_path: object) -> None:
    """The window of a truth is that of its own frame, and frames without a face are never drawn."""
    found = heads(tmp_path)
    rows = rows_of(found, face_model())
    pairs = FramePairs(found, rows, 0)
    frames = pairs.pair(1, 0, 3)
    batch = type(frames)(*(part[None] for part in frames))
    sources, told, truths = both_ways(batch)
    assert torch.equal(sources, truths.flip(0))
    np.testing.assert_allclose(told[0, :, 13], rows[1][3], atol=1e-5)
    np.testing.assert_allclose(told[1, :, 13], rows[1][0], atol=1e-5)
    assert (told[0, 70:] == 0).all()
    hidden = {found.frames[found.clip(index).start + 1].tobytes() for index in range(2)}
    for _, pair in zip(range(30), pairs, strict=False):
        assert np.ascontiguousarray(pair.first.permute(1, 2, 0).numpy()).tobytes() not in hidden


def test_the_schedule_is_the_papers() -> None:
    """400,000 steps: warping alone for 200,000, slower from 300,000 on, and no gradient is cut."""
    images, batch, rate = RECIPES["published"]
    recipe = PaperRecipe(batch=batch, images=images, peak_rate=rate)
    assert images / batch == 400_000
    assert [recipe.warps_only(step * batch) for step in (0, 199_999, 200_000)] == [True, True, False]
    assert [recipe.rate(step * batch) for step in (0, 299_999)] == [1e-4, 1e-4]
    assert [recipe.rate(step * batch) for step in (300_000, 399_999)] == pytest.approx([2e-5, 2e-5])
    assert recipe.most_gradient is None
    assert Recipe(batch=batch, images=images, peak_rate=rate).most_gradient == 1.0


def test_the_two_stages_and_the_schedule(tmp_path: object) -> None:
    """In the first half only the warp is trained, then all of it; in the last quarter five times slower."""
    found = training(heads(tmp_path), Fabric(accelerator="cpu"))
    assert [found.recipe.rate(images) for images in (0, 29, 30)] == [1e-3, 1e-3, 2e-4]
    stream = iter(found.batches(0))
    editing = [value.clone() for value in found.run.net.editing_net.parameters()]  # type: ignore[union-attr]
    assert set(found.advance(next(stream))) == {"warp"}
    assert all(torch.equal(a, b) for a, b in zip(editing, found.run.net.editing_net.parameters(), strict=True))  # type: ignore[union-attr]
    found.run.images = 20
    assert set(found.advance(next(stream))) == {"warp", "content", "style"}
    assert any(not torch.equal(a, b) for a, b in zip(editing, found.run.net.editing_net.parameters(), strict=True))  # type: ignore[union-attr]
    figures, sheet = found.evaluate(found.run.mean.module)
    assert set(figures) == {"psnr unmoved", "psnr warp", "psnr picture"}
    assert sheet.shape == (2 * SIDE, 4 * SIDE, 3)
