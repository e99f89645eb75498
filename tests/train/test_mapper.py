"""Training of the mapper at tiny sizes: samples, augmentation, labels, one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import torch

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.layout import SPANS
from facepipe.avatar.sampling import sample
from facepipe.avatar.vector import CONTINUOUS
from facepipe.creation.mapping import CLOSE_MIDDLE, CLOSE_SIDE, POINT_SCALE, SEEN_PIXELS, inputs_of
from facepipe.creation.observation import SIDE_PIXELS, Observation
from facepipe.models.avatar_mapper import PARTS, AvatarMapper, MapperConfig
from facepipe.train import mapper as training
from facepipe.train.avatar_pictures import POSED_SIDE, SIDE, AvatarPictures, packed
from facepipe.train.loop import Recipe, fit
from facepipe.train.mapper_augment import augmented, plain_batch
from facepipe.train.mapper_cache import CACHED_PIXELS, Samples, avatar_samples, class_numbers, portrait_samples
from facepipe.train.mapper_labels import BEARDS, HAIR_LENGTHS, labels_of, sets_of
from tests.face.faces import face_model

if TYPE_CHECKING:
    from pathlib import Path

LABEL = {
    **{"glasses": "clear", "glasses_option": "round", "beard": "goatee", "beard_option": "van-dyke"},
    **{"hair_length": "long", "fringe": "no", "hair_option": "long-wavy", "hair_second": "", "hat": "none"},
    **{"gender": "m", "usable": "yes"},
}
SMALL: dict[str, Any] = {"widths": (4, 6, 6, 8, 8), "depths": (0, 1, 1, 0, 0), "squeezed": 2, "points_width": 8}
MIRROR = torch.arange(478)


def pictures(seed: int) -> AvatarPictures:
    """Pictures of the kind that an avatar gives, without one."""
    random = np.random.default_rng(seed)
    posed = random.integers(0, 256, (POSED_SIDE, POSED_SIDE, 3)).astype(np.uint8)
    alpha = np.zeros((POSED_SIDE, POSED_SIDE), np.uint8)
    alpha[60:260, 70:220] = 255
    parts = np.where(alpha > 0, 9, 0).astype(np.uint8)  # hair
    points = 41 * face_model().mean + (POSED_SIDE / 2, POSED_SIDE / 2, 0)
    neutral = random.integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    return AvatarPictures(sample(seed), neutral, posed, alpha, parts, posed[::4, ::4].copy(), points.astype(np.float32))


def shard(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "avatars-5.npz"
    np.savez(path, allow_pickle=False, **packed([pictures(seed) for seed in range(count)]))
    return path


def observed(count: int) -> tuple[Observation, ...]:
    flat = np.ones((SIDE_PIXELS, SIDE_PIXELS), np.float32)
    points = (41 * face_model().mean + (127.5, 140, 0)).astype(np.float32)
    found = []
    for seed in range(count):
        rough = np.random.default_rng(seed).integers(0, 256, (8, 8, 3)).astype(np.uint8)
        picture = np.repeat(np.repeat(rough, 32, 0), 32, 1)
        found.append(Observation(picture, flat, flat, points, face_model().mean.astype(np.float32)))
    return tuple(found)


def test_a_shard_is_cropped_once_and_keeps_its_vectors(tmp_path: Path) -> None:
    path = shard(tmp_path / "pictures", 2)
    first = avatar_samples(path, tmp_path / "cache")
    assert first.wide.shape == (2, 5, CACHED_PIXELS, CACHED_PIXELS)
    vector = sample(1)
    assert np.allclose(first.numbers[1], vector.numbers(), atol=1e-6)
    assert [list(ASSETS[name])[int(k)] for name, k in zip(ASSETS, first.choices[1], strict=True)] == list(
        vector.choices.values()
    )
    path.write_bytes(b"")
    again = avatar_samples(path, tmp_path / "cache")
    assert torch.equal(first.wide, again.wide)
    assert set(first.parts.flatten().tolist()) == {0, PARTS.index("hair")}
    # The map of parts lies where alpha does.
    inside = first.wide[:, 3, ::2, ::2] > 127
    assert ((first.parts > 0) == inside).float().mean() > 0.95


def test_every_number_of_a_part_has_a_class() -> None:
    table = class_numbers()
    assert len(table) == 15
    assert PARTS[table[0]] == "background"
    assert PARTS[table[2]] == "skin"  # an eye


def spotted(place: tuple[float, float]) -> Samples:
    """A drawing with a white spot at a place of the frame, and its first landmark there."""
    size = CACHED_PIXELS
    y, x = np.mgrid[:size, :size]

    def spot(middle: tuple[float, float], side: float) -> torch.Tensor:
        # From pixels of the frame to those of a cached crop with its margin.
        scale = size / (1.125 * side * SIDE_PIXELS)
        there = [
            (value + 0.5 - centre * SIDE_PIXELS) * scale + size / 2 - 0.5
            for value, centre in zip(place, middle, strict=True)
        ]
        return torch.from_numpy(255.0 * np.exp(-((x - there[0]) ** 2 + (y - there[1]) ** 2) / 18)).byte()

    full = torch.full((size, size), 255, dtype=torch.uint8)
    wide = torch.stack([spot((0.5, 0.5), 1.0)] * 3 + [full] * 2)[None]
    close = torch.stack([spot(CLOSE_MIDDLE, CLOSE_SIDE)] * 3 + [full])[None]
    points = torch.from_numpy((41 * face_model().mean + (127.5, 140, 0)).astype(np.float32))[None].clone()
    points[0, 0, :2] = torch.tensor(place)
    parts = torch.zeros(1, size // 2, size // 2, dtype=torch.uint8)
    return Samples(wide, close, points, parts, torch.zeros(1, CONTINUOUS), torch.zeros(1, 6, dtype=torch.long))


def peak(picture: torch.Tensor) -> np.ndarray:
    """Return the middle (x, y) of a bright spot in a picture (3 or 5, S, S), where that shows the portrait."""
    light = (picture[:3].mean(0).double() + 1).clamp_min(0) ** 4
    if len(picture) == 5:
        light = light * (picture[4] > 0)
    light = light * (light > 0.3 * light.max())
    y, x = torch.meshgrid(torch.arange(SEEN_PIXELS), torch.arange(SEEN_PIXELS), indexing="ij")
    return np.array([float((light * x).sum() / light.sum()), float((light * y).sum() / light.sum())])


@pytest.mark.parametrize("seed", range(4))
def test_points_and_both_crops_move_together(seed: int) -> None:
    batch = augmented(spotted((120.0, 130.0)), torch.Generator().manual_seed(seed), MIRROR, strong=0.0)
    point = batch.points.view(1, 478, 3)[0, 0, :2].numpy() / POINT_SCALE
    assert np.abs(SEEN_PIXELS * (point + CLOSE_MIDDLE) - 0.5 - peak(batch.wide[0])).max() < 1.2
    assert np.abs(SEEN_PIXELS * (point / CLOSE_SIDE + 0.5) - 0.5 - peak(batch.close[0])).max() < 1.5


def test_portraits_as_they_are_equal_what_the_mapper_sees_in_use() -> None:
    seen = observed(1)
    batch = plain_batch(portrait_samples(seen))
    wide, close, points = (torch.from_numpy(one)[None] for one in inputs_of(seen[0]))
    assert torch.allclose(batch.points, points, atol=1e-4)
    assert (batch.wide - wide).abs().mean() < 0.06
    assert (batch.close - close).abs().mean() < 0.06


def test_augmented_drawings_lose_their_background_and_keep_their_parts(tmp_path: Path) -> None:
    samples = avatar_samples(shard(tmp_path / "pictures", 3), tmp_path / "cache")
    batch = augmented(samples, torch.Generator().manual_seed(1), MIRROR, strong=1.0)
    assert not batch.plain.any()
    assert set(batch.parts.flatten().tolist()) == {0, PARTS.index("hair")}
    hair = (batch.parts > 0)[:, None].float()
    large = torch.nn.functional.interpolate(hair, scale_factor=2.0)
    assert (batch.wide[:, 3:4] * (2 * large - 1)).mean() > 0.7  # the matte is about the hair
    again = augmented(samples, torch.Generator().manual_seed(1), MIRROR, strong=1.0)
    assert torch.equal(batch.wide, again.wide)


def test_labels_are_sets_of_options_of_their_type() -> None:
    for type_, options, weight in sets_of(LABEL):
        assert set(options) <= set(ASSETS[type_])
        assert weight > 0
    for groups, type_ in ((BEARDS, "beard"), (HAIR_LENGTHS, "hair")):
        assert set().union(*groups.values()) == set(ASSETS[type_])
    labels, rows = labels_of(["a", "b", "c"], {"a": LABEL, "c": {**LABEL, "usable": "no"}})
    assert rows == [0]
    beard = SPANS["beard"]
    goatee = beard.start - CONTINUOUS + list(ASSETS["beard"]).index("goatee")
    assert labels.sets[0, :, goatee].sum() == 2
    assert labels.gender[0] == 0.75


def test_clean_drawings_stay_as_they_are() -> None:
    samples = spotted((120.0, 130.0))
    kept = augmented(samples, torch.Generator().manual_seed(1), MIRROR, strong=1.0, clean=1.0)
    plain = plain_batch(samples)
    for name in ("wide", "close", "points", "parts", "plain"):
        assert torch.equal(getattr(kept, name), getattr(plain, name)), name
    changed = augmented(samples, torch.Generator().manual_seed(1), MIRROR, strong=1.0, clean=1e-9)
    assert not torch.equal(changed.wide, plain.wide)


def test_the_loss_of_labels_falls_with_the_probability_of_their_options() -> None:
    labels, _ = labels_of(["a"], {"a": LABEL})
    continuous = torch.full((1, CONTINUOUS), 0.75)
    losses = []
    for strength in (0.0, 3.0, 6.0):
        logits = strength * labels.sets.max(1).values
        losses.append(float(training._label_loss(logits, continuous, labels)))
    assert losses[0] > losses[1] > losses[2]


def test_a_training_of_some_steps_improves_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard(tmp_path / "pictures", 3)
    monkeypatch.setattr(training, "PORTRAITS", 2)
    monkeypatch.setattr(training, "beta_at", lambda _step, _steps: 1.0)
    samples = portrait_samples(observed(4))
    labels, _ = labels_of(["a"] * 4, {"a": LABEL})
    source = training.Source.__new__(training.Source)
    source.pictures, source.cache, source.seen = tmp_path / "pictures", tmp_path / "cache", {}
    source.portraits, source.labels, source.mirror = samples, labels, MIRROR
    torch.manual_seed(1)
    net = AvatarMapper(MapperConfig(CONTINUOUS, training.config().options, 4, 8, 16, **SMALL))
    losses: list[float] = []

    def loss_of(net: torch.nn.Module, batch: training.Step) -> torch.Tensor:
        loss = training.loss_of(net, batch)
        losses.append(float(loss.detach()))
        return loss

    def run(steps: int) -> None:
        recipe = Recipe(batch=3, steps=steps, peak_rate=1e-2, warm_up=1, evaluate_every=12)
        fit(
            net,
            recipe,
            tmp_path / "run",
            batches=lambda first: source.steps(first, recipe),
            loss_of=loss_of,
            evaluate=lambda mean: training.drawing_figures(
                cast("AvatarMapper", mean), source.drawings(3, torch.Generator())
            ),
        )

    run(24)
    assert np.mean(losses[-6:]) < np.mean(losses[:6])
    run(26)
    assert len(losses) == 26


def test_beta_grows_by_one_in_each_twentieth() -> None:
    betas = [training.beta_at(step, 200) for step in range(0, 200, 10)]
    assert betas == [float(k) for k in range(1, 21)]
    assert training.beta_at(500, 200) == 20
