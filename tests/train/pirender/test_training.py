"""Training of the renderer: its losses, and a run of a few steps that is stopped and resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from facepipe.errors import WeightsError
from facepipe.face import topology
from facepipe.face.cropping import SquareCrop
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.renderers.compact.net import Rendered
from facepipe.train.pirender import landmarks, losses
from facepipe.train.pirender.batch import by_flow
from facepipe.train.pirender.discriminator import PatchDiscriminator, Window, discriminator_loss, matching

lightning = pytest.importorskip("lightning_fabric", reason="needs the extra `train`")
SIDE = 64


def pictures(seed: int = 0, count: int = 2) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return functional.interpolate(torch.rand(count, 3, 16, 16, generator=random) * 2 - 1, size=SIDE, mode="bilinear")


def points(count: int = 2) -> torch.Tensor:
    from tests.face.faces import face_model

    return torch.from_numpy(face_model().mean[:, :2]).float().expand(count, -1, -1) * 18 + 32


def test_attention_is_highest_on_mouth_and_eyes() -> None:
    weight = losses.attention(points(), SIDE)
    assert weight.shape == (2, 1, SIDE, SIDE)
    assert set(weight.flatten().tolist()) == {1.0, 2.0, 8.0}
    mouth = points()[0, losses.MOUTH].mean(0).round().long()
    assert weight[0, 0, mouth[1], mouth[0]] == 8
    assert weight[0, 0, 0, 0] == 1


def test_pyramid_is_the_mean_of_l1_at_each_size() -> None:
    """Against a plain loop, with the weight at one everywhere."""
    first, second = pictures(0), pictures(1)
    wanted = sum(
        (functional.avg_pool2d(first, 2**level) - functional.avg_pool2d(second, 2**level)).abs().mean()
        for level in range(4)
    )
    found = losses.pyramid(first, second, torch.ones(2, 1, SIDE, SIDE))
    torch.testing.assert_close(found, torch.as_tensor(wanted) / 4)


def test_edges_and_detail_see_blur_that_is_small_in_l1() -> None:
    """A blurred picture keeps its mean, but not its edges nor its energy of detail."""
    truth = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    blurred = functional.avg_pool2d(truth, 3, 1, 1)
    ones = torch.ones(1, 1, SIDE, SIDE)
    assert losses.detail(blurred, truth) > 5 * losses.detail(truth.flip(3), truth)
    assert losses.edges(blurred, truth, ones) > losses.edges(truth + 0.2, truth, ones)
    assert losses.detail(truth, truth) == 0


def test_crops_of_the_landmarker_vary_in_training() -> None:
    """The variation is bounded, and points are converted to the varied crop."""
    landmarker, wanted = small_landmarker(), torch.cat([points(1), torch.zeros(1, 478, 1)], -1)
    still = landmarker.frame(wanted, SIDE)
    torch.testing.assert_close(still, landmarker.frame(wanted, SIDE))
    landmarker.train()
    places = set()
    for _ in range(20):
        frame = landmarker.frame(wanted, SIDE)
        assert ((frame.middle - still.middle).abs() <= landmarks.SHIFT_RATIO * still.reach).all()
        assert ((frame.reach / still.reach - 1).abs() <= landmarks.SCALE_RATIO).all()
        at = landmarker.normalised(wanted, frame)[0, 1, :2] * 32 - 0.5
        picture = torch.linspace(-1, 1, SIDE).expand(1, 3, SIDE, SIDE)
        row, column = int(at[1].round()), float(at[0])
        seen = landmarker.crop(picture, frame)[0, 0, row]
        across = float(torch.lerp(seen[int(column)], seen[int(column) + 1], column - int(column)))
        assert abs((across + 1) / 2 * (SIDE - 1) - float(wanted[0, 1, 0])) < 0.1
        places.add(column)
    assert len(places) == 20


def test_coarse_penalises_shift_and_ignores_blur() -> None:
    truth = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    assert losses.coarse(functional.avg_pool2d(truth, 3, 1, 1), truth) < 0.1
    truth[..., 16:32, 16:32] = 1
    assert losses.coarse(truth.roll(16, 3), truth) > 0.1


def small_landmarker() -> landmarks.LandmarkerLosses:
    torch.manual_seed(0)
    net = Landmarker(LandmarkerConfig(widths=(8, 8), depths=(1, 1), size_pixels=32))
    return landmarks.LandmarkerLosses(net).eval()


def test_the_landmarker_losses_distinguish_pictures() -> None:
    """Near zero for the same picture, more for another; gradients reach the picture and not the network."""
    landmarker = small_landmarker()
    made = pictures(0).requires_grad_()
    for loss in (landmarker, landmarker.apart):
        same, other = (loss(made, pictures(seed), points()) for seed in (0, 1))
        (grad,) = torch.autograd.grad(other, made)
        assert grad.abs().sum() > 0
        assert same < 0.01
        assert other > 2 * same
        assert loss(pictures(0) * 0.95 + 0.05 * pictures(1), pictures(0), points()) < other
    assert not any(parameter.requires_grad for parameter in landmarker.parameters())


def test_gradients_outside_the_painted_area_reach_only_the_warp() -> None:
    """The picture is unchanged; outside the mouth only the warped picture gets gradients."""
    warped, change = pictures(0).requires_grad_(), pictures(1).requires_grad_()
    logits = torch.rand(2, 3, SIDE, SIDE).requires_grad_()
    share = logits.softmax(1)
    own = share[:, 1:2] / share[:, :2].sum(1, keepdim=True)
    picture = torch.lerp(pictures(2), warped, own) + share[:, 2:] * change
    mouth = torch.zeros(2, 1, SIDE, SIDE)
    mouth[..., 40:, :] = 1
    seen = by_flow(Rendered(picture, warped, logits), mouth)
    torch.testing.assert_close(seen, picture)
    for part in (warped, change, logits):
        (found,) = torch.autograd.grad(seen.square().sum(), part, retain_graph=True)
        (whole,) = torch.autograd.grad(picture.square().sum(), part, retain_graph=True)
        torch.testing.assert_close(found[..., 40:, :], whole[..., 40:, :])
        wanted = whole[..., :40, :] if part is warped else torch.zeros_like(whole[..., :40, :])
        torch.testing.assert_close(found[..., :40, :], wanted)


def test_target_points_are_in_the_landmarkers_coordinates() -> None:
    """Compared with `SquareCrop`, whose crops it is trained on; the depth of the whole face does not count."""
    landmarker = small_landmarker()
    wanted = torch.cat([points(1) * torch.tensor([1.0, 1.3]), torch.linspace(-9, 9, 478)[None, :, None]], -1)
    skin = wanted[0, : topology.SKIN_COUNT, :2]
    low, high = skin.amin(0), skin.amax(0)
    # The centres of the outermost pixels of the crop are on the sides of the square.
    side = float((high - low).max()) * landmarks.CROP_RATIO * 32 / 31
    x, y = ((low + high) / 2).tolist()
    crop = SquareCrop(x, y, side)
    converted = landmarker.normalised(wanted, landmarker.frame(wanted, SIDE))
    np.testing.assert_allclose(converted[0], crop.normalised(wanted[0].double().numpy()), atol=1e-5)
    made = pictures(0, 1)
    found = landmarker.net(landmarker.crop(made, landmarker.frame(wanted, SIDE))).points.detach()
    landmarker.normalised = lambda *_: found + torch.tensor([0, 0, 0.7])  # type: ignore[method-assign]
    assert landmarker.misplaced(made, wanted) < 0.02
    landmarker.normalised = lambda *_: found + torch.tensor([0.1, 0, 0])  # type: ignore[method-assign]
    assert landmarker.misplaced(made, wanted) > 0.05


def test_the_discriminator_learns_to_distinguish_noise_from_smooth_pictures() -> None:
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(8)
    optimiser = torch.optim.Adam(discriminator.parameters(), lr=5e-3)
    prior, known = pictures(2), torch.zeros(2, dtype=torch.bool)
    for _ in range(30):
        made = torch.rand(2, 3, SIDE, SIDE) * 2 - 1
        loss = discriminator_loss(Window(made, pictures(0), prior, torch.ones_like(prior[:, :1]), known), discriminator)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    real, fake = discriminator(pictures(1), prior), discriminator(torch.rand(2, 3, SIDE, SIDE) * 2 - 1, prior)
    assert real[0].mean() > fake[0].mean() + 0.5
    assert matching(real[1], real[1]) == 0
    assert matching(real[1], fake[1]) > 0


class _Line(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)  # type: ignore[no-any-return]


class _Training:
    """Learns y = 2 x - 1; a stop raises in the middle, as a crash would."""

    def __init__(self, images: int, stop_after: int) -> None:
        from lightning_fabric import Fabric

        from facepipe.train.pirender.loop import Recipe, new_run

        torch.manual_seed(0)
        self.fabric, self.stop_after, self.steps = Fabric(accelerator="cpu"), stop_after, list[int]()
        self.recipe = Recipe(
            batch=4, images=images, peak_rate=0.05, warm_up_images=8, report_images=400, evaluate_images=400,
            average=0.9, checkpoint_minutes=0.0,
        )  # fmt: skip
        self.run = new_run(_Line(), nn.Linear(1, 1), self.recipe)

    def batches(self, images: int) -> Any:
        while True:
            yield torch.rand(4, 1, generator=torch.Generator().manual_seed(images))
            images += 4

    def advance(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        from facepipe.train.pirender.loop import step

        self.steps.append(self.run.images)
        if self.stop_after and self.run.images >= self.stop_after:
            raise KeyboardInterrupt
        loss = (self.run.net(batch) - (2 * batch - 1)).square().mean()
        step(self.run.optimiser, loss, self.run.net, self.fabric, self.recipe.max_gradient_norm)
        return {"loss": loss}

    def evaluate(self, mean: nn.Module) -> tuple[dict[str, float], Any]:
        return {"slope": mean.layer.weight.item()}, np.zeros((4, 4, 3), np.uint8)  # type: ignore[union-attr, operator]


def _train(out: Path, images: int, *, stop_after: int = 0) -> Any:
    from facepipe.train.pirender.loop import train

    training = _Training(images, stop_after)
    train(training, out, training.fabric)
    return training.run, training.steps


def test_a_run_learns_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, steps = _train(tmp_path, 1200)
    assert len(steps) == 300
    assert abs(run.mean.module.layer.weight.item() - 2) < 0.3
    output = capsys.readouterr().out
    assert "400 images" in output
    assert "1200 images: slope 2." in output or "1200 images: slope 1." in output
    assert (tmp_path / "samples" / "00001200.png").exists()
    assert list((tmp_path / "curves").rglob("events*"))


@pytest.mark.parametrize("max_norm", [0.5, None])
def test_the_gradient_of_a_step_is_clipped_as_the_recipe_says(max_norm: float | None) -> None:
    """A step of plain descent is the gradient, clipped to `max_norm` if there is one."""
    from lightning_fabric import Fabric

    from facepipe.train.pirender.loop import step

    net = nn.Linear(2, 1, bias=False)
    before, slope = net.weight.detach().clone(), torch.tensor([[3.0, 4.0]])
    optimiser = torch.optim.SGD(net.parameters(), lr=1.0)
    step(optimiser, (net.weight * slope).sum(), net, Fabric(accelerator="cpu"), max_norm)
    wanted = slope if max_norm is None else slope * max_norm / 5
    torch.testing.assert_close(before - net.weight, wanted)
    step(optimiser, (net.weight * torch.inf).sum(), net, Fabric(accelerator="cpu"), max_norm)
    torch.testing.assert_close(before - net.weight, wanted)


def test_a_stopped_run_resumes(tmp_path: Path) -> None:
    """Stopped and resumed, it ends with the weights of a run that was never stopped."""
    whole, _ = _train(tmp_path / "whole", 400)
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path / "cut", 400, stop_after=200)
    again, steps = _train(tmp_path / "cut", 400)
    assert steps[0] == 200
    for name, value in whole.mean.state_dict().items():
        torch.testing.assert_close(again.mean.state_dict()[name], value)


def test_the_keys_of_a_checkpoint_are_those_of_earlier_versions(tmp_path: Path) -> None:
    """Attributes may be renamed, but stopped runs must resume from their checkpoints."""
    _train(tmp_path, 4)
    keys = set(torch.load(tmp_path / "checkpoint.pt", weights_only=True))
    assert keys == {"net", "mean", "judge", "optimiser", "judge_optimiser", "images"}
    assert any(name.startswith("judge.") for name in PatchDiscriminator(8).state_dict())


def _weight_file(path: Path, slope: float) -> Path:
    from safetensors.torch import save_file

    save_file({"layer.weight": torch.tensor([[slope]]).half(), "layer.bias": torch.zeros(1).half()}, path)
    return path


def test_a_run_starts_at_the_network_of_another(tmp_path: Path) -> None:
    run = _Training(4, 0).run
    run.start_at(_weight_file(tmp_path / "released.safetensors", 1.5))
    for net in (run.net, run.mean.module):
        weight = net.state_dict()["layer.weight"]
        assert weight.item() == 1.5
        assert weight.dtype == torch.float32

    other, _ = _train(tmp_path / "other", 400)
    run.start_at(tmp_path / "other" / "checkpoint.pt")
    for name, value in other.mean.module.state_dict().items():
        assert torch.equal(run.net.state_dict()[name], value)
        assert not torch.equal(other.net.state_dict()[name], value)


@pytest.mark.parametrize(
    "name", ["missing.pt", "missing.safetensors", "text.pt", "text.safetensors", "table.csv", "else.pt"]
)
def test_a_file_without_a_fitting_network_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.pt").write_text("no checkpoint", encoding="utf-8")
    # The unpickler reads letters as commands, and fails differently at these.
    (tmp_path / "table.csv").write_text("source,driver\n", encoding="utf-8")
    (tmp_path / "text.safetensors").write_text("no weights", encoding="utf-8")
    torch.save({"net": {}}, tmp_path / "else.pt")
    with pytest.raises(WeightsError, match=name.replace(".", r"\.")):
        _Training(4, 0).run.start_at(tmp_path / name)


def test_a_network_of_another_size_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"layer.weight": torch.zeros(2, 2), "layer.bias": torch.zeros(2)}, tmp_path / "wide.safetensors")
    with pytest.raises(WeightsError, match=r"layer\.weight of shape"):
        _Training(4, 0).run.start_at(tmp_path / "wide.safetensors")
