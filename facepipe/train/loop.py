"""Training loop of detector and landmarker: schedule, weight averaging, checkpoints, resuming."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from facepipe.weights.conversion import read_checkpoint

Net = TypeVar("Net", bound=nn.Module)
# Entry of an AveragedModel's state that is not a parameter.
AVERAGED_COUNT = "n_averaged"


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a training."""

    batch: int
    steps: int
    peak_rate: float
    warm_up: int = 300
    decay: float = 1e-4
    average: float = 0.999
    seed: int = 1
    evaluate_every: int = 500
    halvings: int = 0
    """How often the learning rate is halved, at equal distances, in place of the half cosine."""


def rate_at(step: int, recipe: Recipe) -> float:
    """Return the learning rate: linear warm-up, then a half cosine to 0, or halved `halvings` times."""
    if step < recipe.warm_up:
        return recipe.peak_rate * (step + 1) / recipe.warm_up
    if recipe.halvings:
        return recipe.peak_rate * 0.5 ** min(recipe.halvings, (recipe.halvings + 1) * step // recipe.steps)
    return recipe.peak_rate * 0.5 * (1 + float(np.cos(np.pi * min(1.0, step / recipe.steps))))


def averaging_with(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Return the averaging function of AveragedModel: a plain mean at first, exponential with `decay` later."""

    def averaged(mean: Tensor, now: Tensor, count: Tensor | int) -> Tensor:
        if not now.is_floating_point():  # the batch counter of a norm
            return now
        return torch.lerp(mean, now, max(1 - decay, 9 / (10 + float(count))))

    return averaged


def network_state(path: Path, part: str = "mean") -> dict[str, Tensor]:
    """Return the network of a run's checkpoint, or that of a released file.

    `part` is "mean" for the averaged weights and "net" for those of the last step. Raises WeightsError for other files.
    """
    state = read_checkpoint(path, part)
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in state.items()
        if name != AVERAGED_COUNT
    }


def to_network(pictures: Tensor) -> Tensor:
    """Turn (B, 3, H, W) uint8 into float32 in [-1, 1], channels last."""
    return (pictures.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def fit(
    net: Net,
    recipe: Recipe,
    out: Path,
    *,
    batches: Callable[[int], Iterable[Any]],
    loss_of: Callable[[Net, Any], Tensor],
    evaluate: Callable[[nn.Module], str],
) -> nn.Module:
    """Train `net`, resuming from OUT/checkpoint.pt if it exists; return the averaged network.

    `batches(first_step)` returns endless batches from that step on, `loss_of(net, batch)` a scalar, and
    `evaluate(averaged_net)` a line of metrics to print.
    """
    out.mkdir(parents=True, exist_ok=True)
    average = AveragedModel(net, avg_fn=averaging_with(recipe.average), use_buffers=True)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.peak_rate, weight_decay=recipe.decay)
    parts: dict[str, Any] = {"net": net, "mean": average, "optimiser": optimiser}
    first = 0
    if (out / "checkpoint.pt").exists():
        state = torch.load(out / "checkpoint.pt", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(state[name])
        first = state["step"]
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    stream, began, total = iter(batches(first)), time.monotonic(), 0.0
    for step in range(first, recipe.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, recipe)
        loss = loss_of(net, next(stream))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        average.update_parameters(net)
        total += float(loss.detach())
        if (step + 1) % 100 == 0:
            speed = (step + 1 - first) * recipe.batch / (time.monotonic() - began)
            print(f"step {step + 1} loss {total / 100:.4f} {speed:.0f} images/s", flush=True)
            total = 0.0
        if (step + 1) % recipe.evaluate_every == 0 or step + 1 == recipe.steps:
            average.module.eval()
            with torch.no_grad():
                print(f"step {step + 1} unseen: {evaluate(average.module)}", flush=True)
            save_checkpoint(
                out / "checkpoint.pt", {name: part.state_dict() for name, part in parts.items()} | {"step": step + 1}
            )
    return average.module.eval()


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint atomically, so that a crash leaves the previous one."""
    draft = path.with_suffix(".part")
    torch.save(state, draft)
    draft.replace(path)
