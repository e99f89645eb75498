"""Training of the compact bi-layer network: mattes of its frames, pairs, losses, and a run that is resumed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.renderers.bilayer.compact.net import CompactBilayerNet, Frame, Texture
from facepipe.train.bilayer import compact
from facepipe.train.bilayer.mattes import SIDE as MATTE_SIDE
from facepipe.train.bilayer.mattes import Mattes, build_mattes
from facepipe.train.bilayer.pairs import PAIRS_OF_A_SOURCE, HeadPair, HeadPairs, to_batch
from facepipe.train.pirender.frame_cache import FrameCache, build_frame_cache
from facepipe.train.pirender.loop import Recipe, train
from tests.face.faces import face_model
from tests.renderers.bilayer.compact.test_net import TINY
from tests.train.pirender.test_pairs import clip

fabric_module = pytest.importorskip("lightning_fabric", reason="needs the extra `train`")
SIDE = 160
SMALL = replace(TINY, side_pixels=SIDE)


class Halves:
    """A matting network: the left half of a picture is a person, and more of it in each further frame."""

    def mattes(self, pictures: Any) -> Iterator[tuple[Any, np.ndarray]]:
        for number, picture in enumerate(pictures):
            matte = np.zeros(picture.shape[:2], np.float32)
            matte[:, : len(picture) // 2 + 8 * number] = 1
            yield picture, matte


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("heads")


@pytest.fixture(scope="module")
def cache(folder: Path) -> FrameCache:
    return build_frame_cache([clip(0), clip(1)], folder, SIDE)


@pytest.fixture(scope="module")
def mattes(folder: Path, cache: FrameCache) -> Mattes:
    return build_mattes(folder, cache, Halves())  # type: ignore[arg-type]


def test_mattes_are_computed_once(folder: Path, cache: FrameCache, mattes: Mattes) -> None:
    """One for each frame; a second run opens the file."""
    assert mattes.shape == (8, MATTE_SIDE, MATTE_SIDE)
    assert mattes[0, 5].tolist() == [255] * 64 + [0] * 64
    assert mattes[2, 5].mean() > mattes[0, 5].mean()
    np.testing.assert_array_equal(build_mattes(folder, cache, None), mattes)  # type: ignore[arg-type]


def test_pairs_of_a_source_are_consecutive(cache: FrameCache, mattes: Mattes) -> None:
    """They share the source, its matte and its maps; the last has another person's motion and no truth."""
    stream = iter(HeadPairs(cache, mattes, face_model(), 3, crossed=True))
    for _ in range(3):
        pairs = [next(stream) for _ in range(PAIRS_OF_A_SOURCE)]
        for one in pairs[1:]:
            for name in ("source", "source_matte", "source_maps"):
                assert torch.equal(getattr(one, name), getattr(pairs[0], name))
        assert [bool(one.crossed) for one in pairs] == [False] * 3 + [True]
        assert all(float(one.keypoints.abs().max()) < 1.2 for one in pairs)


def test_a_mirrored_pair_has_a_mirrored_matte(cache: FrameCache, mattes: Mattes) -> None:
    pairs, random = HeadPairs(cache, mattes, face_model(), 0, augment=False), np.random.default_rng(0)
    plain, flipped = (next(pairs.of_source(0, 0, [2], random, flip=flip)) for flip in (False, True))
    assert torch.equal(plain.matte.flip(2), flipped.matte)
    assert torch.equal(plain.source_matte.flip(2), flipped.source_matte)
    assert not torch.equal(plain.matte, plain.source_matte)


def test_the_target_of_a_pair_has_its_keypoints(cache: FrameCache, mattes: Mattes) -> None:
    """They are the target's landmarks, up to the error of the fit."""
    one = next(HeadPairs(cache, mattes, face_model(), 0, augment=False).of_source(0, 0, [2], np.random.default_rng(0)))
    expected = (one.points[face_model().sixty_eight, :2] + 0.5) / 80 - 1
    assert float((one.keypoints.view(68, 2) - expected).abs().mean()) < 0.03


@pytest.fixture
def training(cache: FrameCache, mattes: Mattes, monkeypatch: pytest.MonkeyPatch) -> compact.CompactBilayerTraining:
    monkeypatch.setattr(compact, "CompactBilayerConfig", lambda: SMALL)
    torch.manual_seed(0)
    landmarker = Landmarker(LandmarkerConfig(widths=(8, 8), depths=(1, 1), size_pixels=32))
    recipe = Recipe(batch=4, images=8, peak_rate=1e-2, warm_up_images=1, workers=0, evaluate_images=8)
    fabric = fabric_module.Fabric(accelerator="cpu")
    return compact.CompactBilayerTraining(recipe, fabric, (cache, cache), (mattes, mattes), face_model(), landmarker)


def test_a_step_changes_both_networks(training: compact.CompactBilayerTraining) -> None:
    before = {name: value.clone() for name, value in training.run.net.state_dict().items()}
    stream = iter(training.batches(0))
    first = training.advance(next(stream))
    assert set(first) == set(compact.WEIGHTS)
    training.advance(next(stream))
    after = training.run.net.state_dict()
    for part in ("embedder.texture", "embedder.identity.0", "generator.final", "generator.pose.0"):
        assert not torch.equal(before[f"{part}.weight"], after[f"{part}.weight"]), part


def test_the_background_counts_little(training: compact.CompactBilayerTraining) -> None:
    """An error inside the matte weighs ten times as much as one outside."""
    batch = to_batch(next(iter(training.batches(0))))
    training.landmarker.eval()
    with torch.no_grad():
        made, texture = compact.rendered(training.run.net, batch)  # type: ignore[arg-type]
        plain = compact.picture_losses(made, texture, batch, training.landmarker)["l1"]
        errors = []
        for inside in (True, False):
            rows = batch.truth.clone()
            band = (batch.matte > 0.5) if inside else (batch.matte < 0.5)
            band[..., :130, :] = False
            band = band & (torch.rand(band.shape, generator=torch.Generator().manual_seed(1)) < 0.5)
            moved = compact.picture_losses(made, texture, batch._replace(truth=rows + 4.0 * band), training.landmarker)
            errors.append(float(moved["l1"] - plain) / float(band[:3].sum()))
    assert errors[0] > 4 * errors[1] > 0


def test_a_crossed_pair_has_no_truth(training: compact.CompactBilayerTraining) -> None:
    batch = to_batch(next(iter(training.batches(0))))
    training.landmarker.eval()
    with torch.no_grad():
        made, texture = compact.rendered(training.run.net, batch)  # type: ignore[arg-type]
        plain = compact.picture_losses(made, texture, batch, training.landmarker)
        truth = torch.where(batch.crossed[:, None, None, None], 0.3, batch.truth)
        moved = compact.picture_losses(made, texture, batch._replace(truth=truth), training.landmarker)
    for name, value in plain.items():
        torch.testing.assert_close(moved[name], value)


def test_a_run_ends_with_a_checkpoint_and_a_sheet(
    training: compact.CompactBilayerTraining, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(training, tmp_path, training.fabric)
    assert (tmp_path / "checkpoint.pt").exists()
    assert (tmp_path / "samples/00000008.png").exists()
    assert "iou result" in capsys.readouterr().out
    net = CompactBilayerNet(SMALL)
    net.load_state_dict(torch.load(tmp_path / "checkpoint.pt", weights_only=True)["net"])


def test_metrics_are_those_inside_the_matte(training: compact.CompactBilayerTraining) -> None:
    """A network that renders the truth inside has no error there."""
    pair: HeadPair = training.held_out[0]

    class Perfect:
        def embedder(self, source: torch.Tensor, *_: Any) -> Any:
            return Texture(torch.cat([source, source[:, :1]], 1), source, source[:, 0, 0])

        def decide(self, *_: Any) -> torch.Tensor:
            return torch.zeros(0)

        def compose(self, *_: Any) -> Any:
            batch = to_batch(pair)
            inside = batch.matte > 0.5
            picture = torch.where(inside, batch.truth, -batch.truth)
            nothing = torch.zeros(0)
            return Frame(picture, nothing, nothing, nothing, inside.float() - 0.5, nothing)

    found = compact.metrics(Perfect(), [pair])  # type: ignore[arg-type]
    assert found["psnr result"] > 100 > found["psnr prior"]
    assert found["iou result"] == 1
