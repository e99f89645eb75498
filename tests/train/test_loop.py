"""The training loop learns, saves checkpoints and resumes from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from facepipe.train.loop import Recipe, fit, rate_at, save_checkpoint, to_network

TRUTH = torch.tensor([[2.0, -1.0, 0.5]])


class StoppedError(Exception):
    pass


def batches_until(stop: int, first_steps: list[int]) -> Callable[[int], Iterable[Tensor]]:
    """Batches that depend on the step alone; raise StoppedError before step `stop`."""

    def batches(first: int) -> Iterator[Tensor]:
        first_steps.append(first)
        step = first
        while True:
            if step == stop:
                raise StoppedError
            yield torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
            step += 1

    return batches


def loss_of(net: nn.Module, batch: Tensor) -> Tensor:
    return nn.functional.mse_loss(net(batch), batch @ TRUTH.T)


def run(out: Path, recipe: Recipe, *, stop: int = -1, first_steps: list[int] | None = None) -> nn.Module:
    torch.manual_seed(0)
    return fit(
        nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4), nn.Linear(4, 1)),
        recipe,
        out,
        batches=batches_until(stop, first_steps if first_steps is not None else []),
        loss_of=loss_of,
        evaluate=lambda net: f"training {net.training}",
    )


RECIPE = Recipe(batch=8, steps=20, peak_rate=0.02, warm_up=2, average=0.8, evaluate_every=5)


def test_training_learns_and_evaluates_the_average(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The loss falls, the returned network is in eval mode, and evaluations happen on schedule."""
    recipe = Recipe(batch=8, steps=200, peak_rate=0.05, warm_up=5, average=0.9, evaluate_every=100)
    net, before = run(tmp_path, recipe), run(tmp_path / "none", Recipe(batch=8, steps=0, peak_rate=1))
    check = torch.randn(64, 3, generator=torch.Generator().manual_seed(99))
    assert not net.training
    assert loss_of(net, check) < 0.2 * loss_of(before, check)
    assert capsys.readouterr().out.count("unseen: training False") == 2


def test_an_interrupted_run_resumes_from_its_checkpoint(tmp_path: Path) -> None:
    """Stopped at step 13, it resumes at the last evaluation and ends with the weights of an undisturbed run."""
    first_steps: list[int] = []
    with pytest.raises(StoppedError):
        run(tmp_path / "broken", RECIPE, stop=13, first_steps=first_steps)
    assert torch.load(tmp_path / "broken/checkpoint.pt", weights_only=True)["step"] == 10
    resumed = run(tmp_path / "broken", RECIPE, first_steps=first_steps)
    assert first_steps == [0, 10]
    whole = run(tmp_path / "whole", RECIPE)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, msg=name)


def test_a_finished_run_does_nothing_more(tmp_path: Path) -> None:
    """A second call takes no step and returns the same average."""
    first = run(tmp_path, RECIPE)
    again = run(tmp_path, RECIPE, stop=20)
    for name, value in first.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, msg=name)


def test_the_rate_rises_and_falls_to_zero() -> None:
    """From a fraction to the peak in the warm-up, then down without a jump."""
    recipe = Recipe(batch=1, steps=1000, peak_rate=0.5, warm_up=100)
    rates = [rate_at(step, recipe) for step in range(1001)]
    assert rates[0] == pytest.approx(0.005)
    assert max(rates) == pytest.approx(0.5, rel=0.03)
    assert all(b >= a for a, b in pairwise(rates[:100]))
    assert all(b <= a for a, b in pairwise(rates[100:]))
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_a_checkpoint_is_replaced_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If writing fails midway, the previous checkpoint remains."""
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"step": 1})

    def torn(state: object, draft: Path) -> None:
        draft.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", torn)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(path, {"step": 2})
    assert torch.load(path, weights_only=True) == {"step": 1}


def test_pictures_enter_between_minus_one_and_one() -> None:
    """Black is -1, white is 1, and the order of channels stays."""
    pictures = torch.tensor([[0, 255]], dtype=torch.uint8).view(1, 2, 1, 1).expand(1, 2, 3, 3)
    found = to_network(pictures)
    assert found.dtype == torch.float32
    assert found[0, 0].eq(-1).all()
    assert found[0, 1].eq(1).all()
