"""Training of the compact implicit motion network, on painted heads at a tiny size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file
from torch.nn import functional
from torch.utils.data import DataLoader

from facepipe.models.blocks import fold_norms
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.renderers.imf.compact.config import ImfCompactConfig
from facepipe.renderers.imf.compact.layers import cells, sampled
from facepipe.renderers.imf.compact.net import ImfCompact
from facepipe.train.imf import beginning
from facepipe.train.imf.beginning import basis_of, point_targets, regress
from facepipe.train.imf.compact import CompactRecipe, CompactTraining, divided
from facepipe.train.imf.couples import Couples, couple_of, moved, random_move
from facepipe.train.imf.losses import WEIGHTS, matching, swapped, to_batch
from facepipe.train.pirender.frame_cache import FrameCache, HeadClip, build_frame_cache
from tests.face.faces import face_model
from tests.renderers.imf.test_compact_net import TINY
from tests.renderers.painted import paint
from tests.train import material

SIDE = 64
RECIPE = CompactRecipe(batch=4, images=400, peak_rate=2e-3, warm_up_images=40, place_images=20, adversarial_from=32)
PICTURE = {"l1", "edges", "generated", "share", "features", "landmarks", "detail"}


def clip(number: int, frames: int = 5) -> HeadClip:
    points = material.face_points(frames, seed=number, person=number) * (SIDE / material.SIDE)
    pictures = [paint(face.astype(np.float64), SIDE) for face in points]
    return HeadClip(f"c{number}", f"p{number}", pictures, points, np.ones(frames, bool))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> FrameCache:
    return build_frame_cache([clip(0), clip(1), clip(2)], tmp_path_factory.mktemp("imf") / "cache", SIDE)


def landmarker(side: int = 32) -> Landmarker:
    torch.manual_seed(0)
    sizes = LandmarkerConfig(side, TINY.encoder_widths, TINY.encoder_depths, TINY.encoder_expansion, TINY.encoder_head)
    net = fold_norms(Landmarker(sizes))
    assert isinstance(net, Landmarker)
    return net


def training_of(cache: FrameCache, recipe: CompactRecipe = RECIPE, config: ImfCompactConfig = TINY) -> CompactTraining:
    fabric = Fabric(accelerator="cpu")
    return CompactTraining(recipe, fabric, cache, face_model(), landmarker(), held_out=1, config=config)


def state_of(net: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in net.parameters()])


def test_a_place_is_that_of_the_same_point_of_the_face(cache: FrameCache) -> None:
    """At the landmarks of each frame, the correspondence leads to the landmarks of the other."""
    couples, skin = Couples(cache, face_model(), [0, 1], 0), slice(0, 468)
    random, errors = np.random.default_rng(0), []
    for _ in range(8):
        couple = couples.drawn(random)
        for row in (0, 1):
            own, other = (point_targets(couple.points[[at]], SIDE)[:, skin, :2] for at in (row, 1 - row))
            grid = own[:, None].permute(0, 3, 1, 2)
            found = sampled(couple.position[[row]], grid)[:, :, 0].transpose(1, 2)
            known = sampled(couple.weight[[row], None], grid)[0, 0, 0] > 0.9
            errors.append((found - other).norm(dim=2)[0, known])
    assert len(torch.cat(errors)) > 1000
    assert torch.cat(errors).median() * SIDE / 2 < 1.5


def test_a_moved_frame_keeps_its_face(cache: FrameCache) -> None:
    """The fit of a turned, scaled and shifted frame leads to its moved landmarks."""
    couples = Couples(cache, face_model(), [0], 0)
    frame = couples.frame(0, 1)
    turned = moved(frame, random_move(np.random.default_rng(3), SIDE))
    assert np.abs(turned.points - frame.points).max() > 2
    for one in (frame, turned):
        shape = face_model().shape(one.fit.identity, one.fit.expression)
        assert np.abs(one.fit.pose.apply(shape)[0] - one.points)[:, :2].mean() < 1


def test_a_frame_with_itself_stays_in_place(cache: FrameCache) -> None:
    frame = Couples(cache, face_model(), [0], 0).frame(0, 1)
    couple = couple_of([frame, frame], face_model())
    known = couple.weight > 0
    gap = (couple.position - cells(SIDE // 4).T.reshape(2, SIDE // 4, SIDE // 4)).abs().amax(1)
    assert known.float().mean() > 0.2
    assert gap[known].max() * SIDE / 2 < 0.2


def test_the_likelihood_of_a_place_is_shared_by_its_four_cells() -> None:
    """Against a loop over all cells, each with its share of bilinear interpolation."""
    torch.manual_seed(0)
    shares, wanted, weight = torch.rand(2, 64, 64).softmax(-1), torch.rand(2, 2, 8, 8) * 2 - 1, torch.rand(2, 1, 8, 8)
    total = torch.zeros(())
    for row, down, across in np.ndindex(2, 8, 8):
        place = [float(((wanted[row, axis, down, across] + 1) * 4 - 0.5).clamp(0, 7)) for axis in (0, 1)]
        likely = torch.zeros(())
        for y, x in np.ndindex(8, 8):
            amount = max(0.0, 1 - abs(place[0] - x)) * max(0.0, 1 - abs(place[1] - y))
            likely = likely + amount * shares[row, down * 8 + across, y * 8 + x]
        total = total - (likely + 1e-4).log() * weight[row, 0, down, across]
    torch.testing.assert_close(matching(shares, wanted, weight), total / weight.sum())


def test_stages(cache: FrameCache) -> None:
    """The first stage leaves E_F and D_F alone, the second trains them, the discriminator joins last; E_T is ready."""
    found = training_of(cache)
    stream, net = iter(found.batches(0)), found.run.net
    assert isinstance(net, ImfCompact)
    parts = (net.motion_decoder, net.token_encoder, net.feature_encoder, net.frame_decoder, found.run.discriminator)
    for images, changed, losses in (
        (0, [True, False, False, False, False], set()),
        (20, [True, False, True, True, False], PICTURE),
        (32, [True, False, True, True, True], {*PICTURE, "adversarial", "matching", "discriminator"}),
    ):
        found.run.images, before = images, [state_of(part) for part in parts]
        seen = set(found.advance(next(stream)))
        assert seen >= losses
        assert ("l1" in seen) == (images >= 20)
        assert [not torch.equal(old, state_of(part)) for old, part in zip(before, parts, strict=True)] == changed


def test_validation_people_are_not_trained_on(cache: FrameCache) -> None:
    clips, kept = divided(cache, 1)
    assert not {cache.persons[one] for one in clips} & {cache.persons[one] for one in kept}
    assert len(clips) + len(kept) == 3
    found, sheet = training_of(cache).evaluate(training_of(cache).run.net)
    assert {"psnr result", "ssim result", "psnr unmoved", "r yaw", "r eyes"} <= set(found)
    assert sheet.shape == (2 * SIDE // 2, 6 * SIDE // 2, 3)


def test_a_run_begins_with_a_released_file(cache: FrameCache, tmp_path: Path) -> None:
    """Also with one that holds the map from coefficients."""
    first, second = training_of(cache), training_of(cache)
    state = first.run.net.state_dict()
    changed = {name: (value + 1).contiguous() for name, value in state.items()}
    save_file({**changed, "psi.decoder.0.bias": torch.zeros(3)}, tmp_path / "released.safetensors")
    second.run.start_at(tmp_path / "released.safetensors")
    for net in (second.run.net, second.run.mean.module):
        torch.testing.assert_close(dict(net.state_dict()), changed)


def test_both_precisions_learn_alike(cache: FrameCache) -> None:
    """The first step in bfloat16 has the losses of float32, within its rounding, and a gradient of its direction."""
    values, steps = [], []
    for low in (False, True):
        found = training_of(cache, replace(RECIPE, low_precision=low, place_images=0, adversarial_from=0))
        before = state_of(found.run.net)
        torch.manual_seed(0)
        values.append(found.advance(next(iter(found.batches(0)))))
        steps.append(state_of(found.run.net) - before)
    for name, value in values[0].items():
        torch.testing.assert_close(values[1][name].float(), value, rtol=0.1, atol=0.02)
    assert torch.cosine_similarity(steps[0], steps[1], 0) > 0.6


def test_couples_are_each_others_reference(cache: FrameCache) -> None:
    batch = to_batch(next(iter(training_of(cache).batches(0))))
    assert batch.frames.shape == (4, 3, SIDE, SIDE)
    torch.testing.assert_close(swapped(batch.frames)[0], batch.frames[2])
    torch.testing.assert_close(swapped(swapped(batch.frames)), batch.frames)


@pytest.mark.slow
def test_a_clip_of_eight_frames_is_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over-fitted, though the target changes within each batch."""
    # The landmarker of this test knows no faces.
    for name in ("features", "landmarks"):
        monkeypatch.setitem(WEIGHTS, name, 0.0)
    cache = build_frame_cache([clip(0, 8)], tmp_path, SIDE)
    recipe = CompactRecipe(batch=8, images=8000, peak_rate=1.5e-3, warm_up_images=80, place_images=1600, average=0.98)
    wide = replace(TINY, key=64, motion_widths=(64, 64, 32), feature_widths=(16, 32, 32), frame_widths=(16, 32, 32))
    found = training_of(cache, recipe, wide)
    # Exact tokens of the eight frames: E_T has tests of its own.
    monkeypatch.setattr(beginning, "RIDGE", 1e-6)
    frames, points = (torch.from_numpy(np.array(part)) for part in (cache.frames, cache.points))
    targets, net = point_targets(points, SIDE), cast("ImfCompact", found.run.net)
    tokens = basis_of(targets, 7).tokens(targets)
    regress(net.token_encoder, frames.permute(0, 3, 1, 2), functional.pad(tokens, (0, 1)))
    found.run.mean.module.load_state_dict(net.state_dict())
    couples = Couples(cache, face_model(), [0], 0, augment=False)
    for batch in DataLoader(couples, batch_size=4):
        for group in found.run.optimiser.param_groups:
            group["lr"] = recipe.rate(found.run.images)
        found.advance(batch)
        found.run.average()
        found.run.images += recipe.batch
        if found.run.images >= recipe.images:
            break
    figures, _ = found.evaluate(found.run.mean.module)
    assert figures["psnr result"] > max(30, figures["psnr unmoved"] + 3)
