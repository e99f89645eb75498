"""The imitator's training: data, mixtures, losses, both steps, measures."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from facepipe.avatar.layout import LENGTH, SPANS, from_row, to_row
from facepipe.avatar.vector import CONTINUOUS
from facepipe.errors import InputError
from facepipe.models.imitator import CompactImitatorConfig, Imitator, ImitatorConfig
from facepipe.train import imitator, release
from facepipe.train.imitator_losses import SCALES, mixed_targets, picture_loss, region_weights
from facepipe.train.imitator_measures import PLACES, drawn, is_monotone, measured, segment
from facepipe.train.imitator_pictures import MIXED, AvatarShards, batch_of, endless_batches, with_choices_of
from facepipe.train.loop import Recipe, rate_at, to_network
from tests.train.avatar_shards import SIDE, picture_of, some_vectors, write_shard

TINY = CompactImitatorConfig(hidden=(32,), style=16, widths=(16, 16), enlargement=2)
TINIEST = CompactImitatorConfig(hidden=(8,), style=8, widths=(8, 8), enlargement=2)
TINY_PAPER = ImitatorConfig(hidden=(8,), style=8, widths=(8, 8), mapping_layers=2)
TINY_SIDE = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    write_shard(folder, 0, some_vectors(14))
    write_shard(folder, 14, some_vectors(10, first=14))
    return folder


@pytest.fixture(scope="module")
def shards(folder: Path) -> AvatarShards:
    return AvatarShards(folder, TINY_SIDE)


def test_shards_are_read_in_order(shards: AvatarShards) -> None:
    """Rows are those of the layout, and pictures belong to them, in any order."""
    vectors = some_vectors(24)
    np.testing.assert_allclose(shards.rows, [to_row(one.relaxed()) for one in vectors], atol=1e-6)
    chosen = np.array([20, 3, 14])
    wanted = np.stack([picture_of(vectors[index])[::2, ::2] for index in chosen]).astype(int)
    found = shards.pictures(chosen).permute(0, 2, 3, 1).numpy().astype(int)
    # JPEG rounds, also across the edge between the halves.
    assert np.abs(found - wanted)[:, :, [2, TINY_SIDE - 3]].max() <= 4


def test_new_shards_join_at_the_next_pass(tmp_path: Path) -> None:
    """Every avatar appears once in a pass; a shard that is added meanwhile is in the next one."""
    write_shard(tmp_path, 0, some_vectors(6))
    shards = AvatarShards(tmp_path, TINY_SIDE)
    stream = endless_batches(shards, 3, 1, 0)
    first = torch.cat([batch.rows for batch in islice(stream, 2)])
    write_shard(tmp_path, 6, some_vectors(6, first=6))
    second = torch.cat([batch.rows for batch in islice(stream, 4)])
    assert len({tuple(row.tolist()) for row in first}) == 6
    assert len({tuple(row.tolist()) for row in second}) == 12
    again = next(iter(endless_batches(shards, 3, 1, 0)))
    assert not torch.equal(again.rows, next(iter(endless_batches(shards, 3, 1, 5))).rows)


def test_an_empty_folder_and_another_engine_are_reported(tmp_path: Path) -> None:
    """The message names the command that makes pictures."""
    with pytest.raises(InputError, match=r"avatars-\*\.npz.*avatar-pictures"):
        AvatarShards(tmp_path, TINY_SIDE)
    write_shard(tmp_path, 0, some_vectors(2))
    with np.load(tmp_path / "avatars-0.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "avatars-0.npz", allow_pickle=False, **{**arrays, "numbers": arrays["numbers"][:, :-1]})
    with pytest.raises(InputError, match="draw them anew"):
        AvatarShards(tmp_path, TINY_SIDE)


def test_choices_are_exchanged_by_type(shards: AvatarShards) -> None:
    """Against a loop over avatars and types: sliders and colours stay."""
    rows, partners = shards.rows[:8], shards.rows[8:16]
    switched = np.random.default_rng(1).uniform(size=(8, len(SPANS))) < 0.5
    found = with_choices_of(rows, partners, switched)
    for row in range(8):
        np.testing.assert_array_equal(found[row, :CONTINUOUS], rows[row, :CONTINUOUS])
        for place, span in enumerate(SPANS.values()):
            source = partners if switched[row, place] else rows
            np.testing.assert_array_equal(found[row, span], source[row, span])


def test_mixtures_are_vectors_of_one_head(shards: AvatarShards) -> None:
    """A third of a batch; probabilities are valid, and some of the others are between two avatars."""
    batch = batch_of(shards, np.arange(24), np.random.default_rng(2))
    count = round(24 * MIXED)
    assert (len(batch.others), len(batch.shares)) == (count, count)
    assert count == 8
    assert ((batch.shares >= 0) & (batch.shares <= 1)).all()
    for row, other in zip(batch.rows, batch.others, strict=False):
        from_row(other.numpy())
        torch.testing.assert_close(row[:CONTINUOUS], other[:CONTINUOUS])
        for span in SPANS.values():
            assert float(other[span].sum()) == pytest.approx(1, abs=1e-5)
    between = (batch.others[:, CONTINUOUS:] > 0) & (batch.others[:, CONTINUOUS:] < 1)
    assert between.any(1).sum() not in (0, count)


class Fixed(nn.Module):
    """Draws each vector as the mean of its numbers."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows.mean(1)[:, None, None, None].expand(-1, 3, TINY_SIDE, TINY_SIDE)


def test_targets_of_mixtures_are_mixtures_of_pictures(shards: AvatarShards) -> None:
    """Against a loop; the other avatars keep vector and picture."""
    batch = batch_of(shards, np.arange(9), np.random.default_rng(3))
    rows, pictures = mixed_targets(Fixed(), batch)  # type: ignore[arg-type]
    real = to_network(batch.pictures)
    for place in range(9):
        if place < len(batch.shares):
            share = float(batch.shares[place])
            wanted_row = (1 - share) * batch.rows[place] + share * batch.others[place]
            wanted = (1 - share) * real[place] + share * batch.others[place].mean()
        else:
            wanted_row, wanted = batch.rows[place], real[place]
        torch.testing.assert_close(rows[place], wanted_row)
        torch.testing.assert_close(pictures[place], wanted)


def slow_loss(drawn: np.ndarray, wanted: np.ndarray) -> float:
    """Return the loss of pictures (3, S, S) by loops over pixels."""
    side = drawn.shape[-1]
    error = (drawn - wanted) * region_weights(side)[0].numpy()
    total = 0.0
    for scale in SCALES:
        cells = side // scale
        coarse = np.zeros((3, cells, cells))
        for row in range(cells):
            for column in range(cells):
                area = error[:, row * scale : (row + 1) * scale, column * scale : (column + 1) * scale]
                coarse[:, row, column] = area.mean((1, 2))
        lines = [(c, y, x) for c in range(3) for y in range(cells) for x in range(cells - 1)]
        across = [abs(coarse[c, y, x + 1] - coarse[c, y, x]) for c, y, x in lines]
        down = [abs(coarse[c, x + 1, y] - coarse[c, x, y]) for c, y, x in lines]
        total += float(np.abs(coarse).mean() + np.mean(across) + np.mean(down))
    return total


def test_the_loss_is_that_of_loops_over_pixels() -> None:
    """L1 and gradient L1 at three scales; the mean over the batch."""
    pictures = np.random.default_rng(4).uniform(-1, 1, (2, 2, 3, TINY_SIDE, TINY_SIDE)).astype(np.float32)
    found = float(picture_loss(*map(torch.from_numpy, pictures)))
    assert found == pytest.approx(np.mean([slow_loss(one, other) for one, other in zip(*pictures, strict=True)]))


def test_the_face_counts_most() -> None:
    weights = region_weights(64)[0, 0]
    assert float(weights.mean()) == pytest.approx(1)
    assert weights[34, 32] > 2 * weights[2, 2]


def test_the_rate_is_halved_at_equal_distances() -> None:
    """As in the paper: ten rates of two epochs each."""
    recipe = Recipe(batch=1, steps=100, peak_rate=0.01, warm_up=0, halvings=9)
    assert [rate_at(step, recipe) for step in range(100)] == [0.01 / 2 ** (step // 10) for step in range(100)]


@pytest.mark.parametrize("profile", ["compact", "paper"])
def test_a_run_has_two_steps_and_resumes(
    profile: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Generator, then everything; the second start goes on with the second step."""
    config = TINY if profile == "compact" else TINY_PAPER
    monkeypatch.setitem(imitator.PROFILES, profile, imitator.Profile(config, Recipe(4, 2, 1e-3), 1))
    words = ["--pictures", str(folder), "--unseen", str(folder), "--out", str(tmp_path), "--profile", profile]
    imitator.main(words)
    assert "adversarial step 1" in capsys.readouterr().out
    imitator.main([*words, "--steps", "3"])
    text = capsys.readouterr().out
    assert "adversarial" not in text
    assert "step 3 unseen: L1" in text
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 3


@pytest.fixture(scope="module")
def trained(shards: AvatarShards, tmp_path_factory: pytest.TempPathFactory) -> nn.Module:
    torch.manual_seed(7)
    recipe = Recipe(batch=12, steps=250, peak_rate=4e-3, warm_up=20, decay=0, average=0.98, evaluate_every=250)
    return imitator.train(Imitator(TINY), recipe, tmp_path_factory.mktemp("run"), shards, shards)


def test_a_tiny_imitator_learns(trained: nn.Module, shards: AvatarShards) -> None:
    """Its error is far below that of the mean picture."""
    pictures = to_network(shards.pictures(np.arange(24)))
    mean_error = float((pictures - pictures.mean(0)).abs().mean() / 2)
    assert measured(trained, shards).l1 < 0.4 * mean_error


def test_pictures_change_monotonically_between_vectors(trained: nn.Module, shards: AvatarShards) -> None:
    """Segments between strict vectors with other sliders, colours and choices."""
    assert measured(trained, shards).monotone >= 0.75


def test_monotone_is_monotone() -> None:
    """A fade is; going back, or away from the end, is not."""
    first, last = torch.rand(2, 1, 3, 4, 4)
    fade = torch.cat([torch.lerp(first, last, place / 8) for place in range(9)])
    assert is_monotone(fade)
    assert not is_monotone(fade[[0, 1, 3, 2, 4, 5, 6, 7, 8]])
    assert not is_monotone(torch.cat([fade[:4], torch.full_like(first, 5), fade[5:]]))


def test_segments_are_even(shards: AvatarShards) -> None:
    """Both ends, and every vector between them is valid."""
    found = segment(shards.rows[0], shards.rows[1])
    assert found.shape == (PLACES, LENGTH)
    np.testing.assert_array_equal(found[[0, -1]], shards.rows[:2])
    np.testing.assert_allclose(np.diff(found, axis=0), np.diff(found, axis=0)[:1].repeat(PLACES - 1, 0), atol=1e-6)
    for row in found:
        from_row(row)


def test_measures_are_means_over_avatars(shards: AvatarShards) -> None:
    """Against a loop over avatars."""
    torch.manual_seed(8)
    net = Imitator(TINY).eval()
    found = measured(net, shards)
    errors, ratios = [], []
    for index in range(24):
        one = (drawn(net, shards.rows[index : index + 1])[0].numpy() + 1) / 2
        other = shards.pictures(np.array([index]))[0].numpy() / 255
        errors.append(np.abs(one - other).mean())
        ratios.append(10 * np.log10(1 / np.square(one - other).mean()))
    assert found.l1 == pytest.approx(np.mean(errors), rel=1e-4)
    assert found.psnr == pytest.approx(np.mean(ratios), rel=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "run"], "needs --pictures and --out"),
        (["--pictures", "here", "--out", "run", "--steps", "0"], "--steps is 0"),
        (["--pictures", "here", "--out", "run", "--adversarial-steps", "-1"], "--adversarial-steps is -1"),
    ],
)
def test_wrong_options_are_usage_errors(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        imitator.main(["--unseen", "there", *words])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_release_can_be_judged(
    trained: nn.Module,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A checkpoint becomes a weight without a motion space, and --judge measures the file."""
    (tmp_path / "registry.toml").write_text("", encoding="utf-8")
    monkeypatch.setattr(release, "embedded_folder", lambda: tmp_path)
    monkeypatch.setitem(release.NETWORKS, "avatar-imitator", (Imitator, lambda: TINY))
    torch.save({"mean": {f"module.{name}": value for name, value in trained.state_dict().items()}}, tmp_path / "run.pt")
    path = release.release("avatar-imitator", tmp_path / "run.pt")
    assert "space" not in (tmp_path / "registry.toml").read_text("utf-8")
    imitator.main(["--unseen", str(folder), "--judge", str(path)])
    text = capsys.readouterr().out
    assert text.startswith("L1 0.")
    assert "monotone" in text
    assert SIDE == 2 * TINY_SIDE
