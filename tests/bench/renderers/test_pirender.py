"""Benchmark of renderers' networks, with tiny ones."""

from pathlib import Path

import pytest
import torch

from facepipe.bench.metric import Threshold, Timing
from facepipe.bench.networks import interleaved, speedup
from facepipe.bench.renderers import pirender
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.editing import ResidualBlock
from facepipe.renderers.pirender.net import Pirender, Rendering
from tests.pipeline.scene import run


def small() -> Pirender:
    torch.manual_seed(0)
    return Pirender(PirenderConfig(latent=8, warping_width=4, editing_width=4, widest=8)).eval().requires_grad_(False)


def test_as_official_computes_and_discards_the_unused_branch() -> None:
    computed: list[torch.Tensor] = []
    plain, published = small(), pirender.as_official(small())
    for module in published.modules():
        if isinstance(module, ResidualBlock):
            module.norm1.register_forward_hook(lambda _module, _inputs, out: computed.append(out))
    picture, window = torch.rand(1, 3, 64, 64), torch.randn(1, 73, 27)
    result, expected = (pirender.plain_rendering(net, picture, window)() for net in (published, plain))
    assert len(computed) == 6
    assert pirender.difference("none", expected, result).values == (0,)


def test_every_variant_runs_once_in_each_round() -> None:
    seen: list[str] = []
    timings = interleaved({name: lambda name=name: seen.append(name) for name in "ab"}, 3)  # type: ignore[misc]
    assert seen == ["a", "b"] * 3
    assert [len(times) for times in timings.values()] == [3, 3]


def test_rounds_end_with_the_time_but_not_before_the_least() -> None:
    for least in (1, 2):
        timings = interleaved({"a": lambda: None}, 3, least=least, seconds=0)
        assert len(timings["a"]) == least


def test_the_best_rounds_are_compared() -> None:
    timings = {"x slow": [Timing(9, 1), Timing(4, 1)], "x fast": [Timing(2, 1), Timing(8, 1)]}
    metric = speedup("x slow", "x fast", timings, Threshold(1.5, "at least"))
    assert (metric.name, metric.values) == ("x fast over slow", (2.0,))


def test_the_largest_difference_of_any_output_is_reported() -> None:
    zero = torch.zeros(1, 1, 2, 2)
    off = zero.clone()
    off[0, 0, 1, 0] = -3e-4
    plain = Rendering(zero, zero, zero)
    assert pirender.difference("d", plain, Rendering(off, zero, zero)).values[0] == pytest.approx(3)
    assert pirender.difference("d", plain, Rendering(zero, zero, off)).values[0] == pytest.approx(3)
    mean = pirender.difference("d", plain, Rendering(off, off, off), mean=True)
    assert mean.values[0] == pytest.approx(3e-4 / 4 * 127.5)


def test_names_and_values_of_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
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
        "pirender fast over official",
        "pirender fast, max difference",
        "pirender fast, bf16 over official",
        "pirender fast, bf16, mean difference",
    ]
    assert metrics["pirender fast, max difference"].threshold == Threshold(1, "at most")
    assert metrics["pirender fast, max difference"].median <= 1


@pytest.mark.parametrize("args", [["nothing"], ["renderer", "another"]])
def test_unknown_names_are_refused(args: list[str], tmp_path: Path) -> None:
    outcome = run("bench", *args)
    assert outcome.exit_code == 2
    assert f"bench cannot measure {' '.join(args)}; expected batch, or renderer" in outcome.stderr
