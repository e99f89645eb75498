"""Training of the matting network at tiny sizes: cache, samples, measures, one run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facepipe.checkpoint import load_network, save_network
from facepipe.dataset.split import split_items
from facepipe.face.cropping import SquareCrop
from facepipe.face.detector import Detector
from facepipe.models import detector as network
from facepipe.models.matting import Matting, MattingConfig
from facepipe.train import matting
from facepipe.train.loop import Recipe, to_network
from facepipe.train.matte_measures import measures
from facepipe.train.matte_samples import MatteSamples
from facepipe.train.mattes import MatteCache, build_cache, largest_square, scaled
from facepipe.weights import find
from tests.train.material import FRAMES, make_data


def disc(size: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.asarray(np.hypot(x, y) < radius, np.float32)


def test_measures_of_equal_shifted_and_empty_mattes() -> None:
    same = measures(disc(64, 20), disc(64, 20))
    assert tuple(same) == (1, 1, 0, 0)
    smaller = measures(disc(64, 16), disc(64, 20))
    assert smaller.iou == pytest.approx(disc(64, 16).sum() / disc(64, 20).sum())
    assert smaller.boundary_iou < smaller.iou
    assert smaller.error == pytest.approx((disc(64, 20).sum() - disc(64, 16).sum()) / 64**2)
    assert smaller.boundary_error > smaller.error
    empty = np.zeros((64, 64), np.float32)
    assert tuple(measures(empty, empty)) == (1, 1, 0, 0)


def test_the_border_of_the_picture_is_no_contour() -> None:
    """A person who is cut by the border differs from another only at the contour inside the picture."""
    full = np.ones((64, 64), np.float32)
    assert tuple(measures(full, full)) == (1, 1, 0, 0)


def test_squares_of_a_frame() -> None:
    assert scaled(SquareCrop(0, 0, 1), 0.5) == SquareCrop(-0.25, -0.25, 0.5)
    assert largest_square(SquareCrop(90, 20, 30), (160, 90)) == SquareCrop(90, 44.5, 90)
    assert largest_square(SquareCrop(150, 20, 30), (160, 90)) == SquareCrop(114.5, 44.5, 90)


def memory(count: int = 6, size: int = 64) -> MatteCache:
    """A cache of white discs on grey; the last two rows are portraits of two people."""
    mattes = np.repeat((disc(size, 18) * 255).astype(np.uint8)[None], count, 0)
    pictures = np.repeat(np.maximum(mattes, 90)[..., None], 3, -1)
    head = np.repeat(np.array([[31.5, 31.5, 50]], np.float32), count, 0)
    item = np.array([0, 0, 1, 1, 2, 3], np.int32)
    return MatteCache(pictures, mattes, head, item, item > 1)


def test_samples_keep_pictures_and_mattes_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without changes of light, the disc is bright where the matte is white, whatever the background."""
    monkeypatch.setattr("facepipe.train.matte_samples.weather", lambda picture, _random: picture)
    monkeypatch.setattr("facepipe.train.matte_samples.TEXTURE_SHARE", 1.0)
    monkeypatch.setattr("facepipe.train.matte_samples.NOBODY_SHARE", 0.0)
    samples = MatteSamples(memory(), np.arange(6) < 5, 1, 0, 4, lambda step: 32 + 32 * step)
    stream = iter(samples)
    drawn = [next(stream) for _ in range(12)]
    assert [len(matte) for _, matte in drawn] == [32] * 4 + [64] * 4 + [96] * 4
    for picture, matte in drawn:
        assert picture.shape == (3, *matte.shape)
        assert picture[:, matte > 250].min() > 200
    assert [len(group) for group in samples.groups] == [2, 1]


def test_some_samples_show_nobody() -> None:
    samples = MatteSamples(memory(), np.ones(6, bool), 1, 0, 4, lambda _: 32)
    stream = iter(samples)
    empty = [bool(matte.max() == 0) for _, matte in (next(stream) for _ in range(120))]
    assert 0 < sum(empty) < 30


def test_a_person_is_not_taken_as_background() -> None:
    """No part of the only frames is free of the person, so the background is a texture."""
    cache = memory()
    cache.mattes[:] = 255
    samples = MatteSamples(cache, np.ones(6, bool), 1, 0, 4, lambda _: 32)
    flat = samples.background(32, np.random.default_rng(0)).reshape(-1, 3)
    assert len(np.unique(flat, axis=0)) != 1 or tuple(flat[0]) != (255, 255, 255)


def test_the_loss_prefers_the_right_matte() -> None:
    truth = torch.from_numpy(disc(64, 20))[None]
    right, blurred = (scale * (2 * truth - 1) for scale in (8, 1))
    assert float(matting.matte_loss(right, truth)) < float(matting.matte_loss(blurred, truth)) < 5
    assert float(matting.matte_loss(-right, truth)) > 5


def test_sizes_grow_during_the_training() -> None:
    assert [matting.size_at(step, 10) for step in (0, 4, 5, 7, 8, 9, 10)] == [128, 128, 192, 192, 256, 256, 256]


def test_the_trunk_starts_as_the_detector() -> None:
    """Blocks that the detector lacks are the identity, so the features are the same."""
    torch.manual_seed(0)
    net, pictures = Matting(MattingConfig()), torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    matting.start_at_detector(net, find("detector").path, pictures)
    detector = load_network(
        find("detector").path, "detector", network.Detector, network.DetectorConfig, precision="fp32"
    )
    with torch.no_grad():
        x = to_network(pictures)
        torch.testing.assert_close(net.eval().trunk.features(x), detector.features(x), rtol=1e-3, atol=1e-3)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A data folder, and mattes of half its size: white in the middle."""
    folder = tmp_path_factory.mktemp("material")
    clips, labels = make_data(folder)
    mattes = folder / "mattes"
    for path in labels.glob("*/*.npz"):
        (mattes / path.parent.name).mkdir(parents=True, exist_ok=True)
        frames = np.array([0, FRAMES - 1] if path.parent.name == "clips" else [0], np.int32)
        white = (disc(80, 30) * 255).astype(np.uint8)
        np.savez(mattes / path.parent.name / path.name, frames=frames, mattes=np.stack([white] * len(frames)))
    return clips, mattes


def test_a_network_is_trained_resumed_and_judged(
    material: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matting, "SIZES", ((1.0, 32),))
    monkeypatch.setattr(matting, "CROP_PIXELS", 64)
    monkeypatch.setattr(matting, "validates", lambda item: item.identity == "id901")
    recipes = [Recipe(batch=2, steps=steps, peak_rate=1e-3, warm_up=1, evaluate_every=1) for steps in (1, 2)]
    for recipe in recipes:
        net = matting.train(*material, tmp_path / "cache", tmp_path / "run", recipe)
    assert torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)["step"] == 2
    assert "(validation people) IoU 0." in capsys.readouterr().out
    save_network(net, tmp_path / "net.safetensors", kind="matting")
    matting.judge_file(*material, tmp_path / "cache", tmp_path / "net.safetensors")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" frames")[0] for line in lines] == ["clips: 2", "portraits: 1", "all: 3"]


def test_a_cache_holds_the_square_around_the_head(material: tuple[Path, Path], tmp_path: Path) -> None:
    seen, _ = split_items(material[0])
    cache = build_cache(seen, material[1], tmp_path, Detector(find("detector").path))
    assert cache.pictures.shape == (6, 320, 320, 3)
    assert cache.mattes.shape == (6, 320, 320)
    assert cache.mattes[:, 160, 160].min() == 255
    assert cache.mattes[:, 4, 4].max() == 0
    np.testing.assert_array_equal(np.bincount(cache.item), [2, 1, 2, 1])
    assert ((cache.head[:, 2] > 60) & (cache.head[:, 2] <= 320.5)).all()
    again = build_cache(seen, tmp_path / "nothing", tmp_path, None)  # type: ignore[arg-type]
    np.testing.assert_array_equal(again.mattes, cache.mattes)
