"""How renderers are measured, on networks so small that it takes no time."""

from pathlib import Path

import pytest
import torch

from facepipe.bench.metric import Spent, Threshold
from facepipe.bench.networks import in_turns, times_as_fast
from facepipe.bench.renderers import pirender
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.editing import ResidualBlock
from facepipe.renderers.pirender.net import Pirender, Rendering
from tests.pipeline.scene import run


def small() -> Pirender:
    torch.manual_seed(0)
    return Pirender(PirenderConfig(vector=8, warping_width=4, editing_width=4, widest=8)).eval().requires_grad_(False)


def test_as_published_the_unused_branch_is_computed_and_thrown_away() -> None:
    computed: list[torch.Tensor] = []
    plain, published = small(), pirender.as_official(small())
    for module in published.modules():
        if isinstance(module, ResidualBlock):
            module.norm1.register_forward_hook(lambda _module, _inputs, out: computed.append(out))
    picture, window = torch.rand(1, 3, 64, 64), torch.randn(1, 73, 27)
    made, wanted = (pirender.plainly(net, picture, window)() for net in (published, plain))
    assert len(computed) == 6
    assert pirender.difference("none", wanted, made).values == (0,)


def test_every_way_has_its_turn_in_each_round() -> None:
    seen: list[str] = []
    spent = in_turns({name: lambda name=name: seen.append(name) for name in "ab"}, 3)  # type: ignore[misc]
    assert seen == ["a", "b"] * 3
    assert [len(times) for times in spent.values()] == [3, 3]


def test_the_best_rounds_are_held_against_each_other() -> None:
    spent = {"x slow": [Spent(9, 1), Spent(4, 1)], "x fast": [Spent(2, 1), Spent(8, 1)]}
    metric = times_as_fast("x slow", "x fast", spent, Threshold(1.5, "at least"))
    assert (metric.name, metric.values) == ("x fast to slow", (2.0,))


def test_the_furthest_number_of_any_output_counts() -> None:
    zero = torch.zeros(1, 1, 2, 2)
    off = zero.clone()
    off[0, 0, 1, 0] = -3e-4
    plain = Rendering(zero, zero, zero)
    assert pirender.difference("d", plain, Rendering(off, zero, zero)).values[0] == pytest.approx(3)
    assert pirender.difference("d", plain, Rendering(zero, zero, off)).values[0] == pytest.approx(3)
    mean = pirender.difference("d", plain, Rendering(off, off, off), mean=True)
    assert mean.values[0] == pytest.approx(3e-4 / 4 * 127.5)


def test_what_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pirender, "random_pirender", small)
    monkeypatch.setattr(pirender, "bfloat16_is_fast", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(pirender, "SIDE", 64)
    metrics = {metric.name: metric for metric in pirender.measure(1)}
    assert list(metrics) == [
        "pirender official",
        "pirender plain",
        "pirender fast",
        "pirender fast, bf16",
        "pirender fast to official",
        "pirender fast, furthest off",
        "pirender fast, bf16 to official",
        "pirender fast, bf16, mean difference",
    ]
    assert metrics["pirender fast, furthest off"].threshold == Threshold(1, "at most")
    assert metrics["pirender fast, furthest off"].median <= 1


@pytest.mark.parametrize("words", [["nothing"], ["renderer", "another"]])
def test_what_cannot_be_measured(words: list[str], tmp_path: Path) -> None:
    outcome = run("bench", *words)
    assert outcome.exit_code == 2
    assert f"bench cannot measure {' '.join(words)}; expected batch, or renderer" in outcome.stderr
