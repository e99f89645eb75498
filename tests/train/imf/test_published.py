"""Training of the published implicit motion networks by the paper's recipe, at a tiny size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from facepipe.renderers.imf.config import ImfConfig
from facepipe.train.imf.published import Drive, Drives, PublishedRecipe, PublishedTraining, hinge, landmarker_features
from facepipe.train.pirender.frame_cache import FrameCache, build_frame_cache
from tests.train.imf.test_compact import SIDE, clip, landmarker, state_of

RECIPE = PublishedRecipe(batch=2, images=40, peak_rate=2e-4, adversarial_from=20)
TINY = ImfConfig.of("tiny", norm="group")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FrameCache:
    return build_frame_cache([clip(0), clip(1)], tmp_path_factory.mktemp("published") / "cache", SIDE)


def training_of(cache: FrameCache, recipe: PublishedRecipe = RECIPE) -> PublishedTraining:
    fabric = Fabric(accelerator="cpu")
    return PublishedTraining(TINY, recipe, fabric, cache, landmarker_features(landmarker(), fabric.device), 1)


def test_l1_is_of_pictures_between_0_and_1(cache: FrameCache) -> None:
    found = training_of(cache)
    drive: Drive = next(iter(found.batches(0)))
    with torch.no_grad():
        made = found.run.net(found.pictures(drive.reference), found.pictures(drive.current))
    gap = (made + 1) / 2 - drive.current / 255
    torch.testing.assert_close(found.advance(drive)["l1"].detach(), 10 * gap.abs().mean(), atol=1e-5, rtol=1e-4)


def test_the_discriminator_joins(cache: FrameCache) -> None:
    """It changes only after it has joined, and only by its own loss; all networks change from the start."""
    found = training_of(cache)
    stream, before = iter(found.batches(0)), state_of(found.run.discriminator)
    parts = list(found.run.net.children())
    old = [state_of(part) for part in parts]
    assert set(found.advance(next(stream))) == {"l1", "perceptual"}
    assert all(not torch.equal(one, state_of(part)) for one, part in zip(old, parts, strict=True))
    assert torch.equal(before, state_of(found.run.discriminator))
    found.run.images = 20
    assert set(found.advance(next(stream))) == {"l1", "perceptual", "adversarial", "discriminator"}
    assert not torch.equal(before, state_of(found.run.discriminator))


def test_the_hinge_loss_is_zero_beyond_its_margins() -> None:
    class Constant(nn.Module):
        def forward(self, pictures: torch.Tensor) -> list[torch.Tensor]:
            return [pictures.mean((1, 2, 3)) * scale for scale in (2.0, 0.5)]

    real, fake = torch.ones(2, 3, 4, 4), -torch.ones(2, 3, 4, 4)
    # At the scale of 2 both are beyond the margin, at that of 0.5 both lack a half.
    assert hinge(Constant(), fake, real) == 0.5


def test_the_rate_is_constant_and_that_of_the_discriminator_a_choice() -> None:
    slow = replace(RECIPE, discriminator_ratio=0.015)
    assert {slow.rate(images) for images in (0, 20, 39)} == {2e-4}
    assert slow.rate(0) * slow.discriminator_ratio == pytest.approx(3e-6)


def test_pairs_are_two_frames_of_one_clip(cache: FrameCache) -> None:
    stream = iter(Drives(cache, [1], 0))
    own = torch.from_numpy(cache.frames[cache.clip(1)].copy()).permute(0, 3, 1, 2)
    for _ in range(6):
        drive = next(stream)
        for frame in (drive.reference, drive.current):
            assert any(torch.equal(frame, one) or torch.equal(frame, one.flip(2)) for one in own)
        assert not torch.equal(drive.reference, drive.current)


def test_validation_and_a_checkpoint(cache: FrameCache, tmp_path: Path) -> None:
    found = training_of(cache)
    figures, sheet = found.evaluate(found.run.mean.module.eval())
    assert {"psnr result", "psnr unmoved", "ssim result"} <= set(figures)
    assert sheet.shape == (SIDE // 2, 3 * SIDE // 2, 3)
    torch.save(found.run.state(), tmp_path / "checkpoint.pt")
    found.run.resume(tmp_path / "checkpoint.pt")
