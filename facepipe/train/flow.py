"""Training of the flow on the motion that the sound does not determine, by maximum likelihood."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facepipe.motion.audio_model import AudioToMotion
from facepipe.train.loop import save_checkpoint

Clip = tuple[Tensor, Tensor, Tensor]
"""Motion (T, C), mean (T, D) and columns (T, A)."""


@dataclass(frozen=True)
class FlowRecipe:
    """Hyperparameters of the training."""

    encoder_epochs: int = 40
    batch: int = 24
    window: int = 64
    steps: int = 3000
    rate: float = 1.5e-3
    warm_up: int = 400
    min_rate: float = 1.5e-4
    pose_dropout: float = 0.4
    clip_value: float = 5.0
    clip_norm: float = 100.0
    decay: float = 1e-3
    evaluate_every: int = 50
    patience: int = 4
    """Evaluations without improvement after which training stops."""
    held_out: int = 10
    """Every `held_out`-th identity of the training clips is held out for early stopping."""
    seed: int = 1


def noam(step: int, recipe: FlowRecipe) -> float:
    """Return the learning rate: linear warm-up, then the inverse root of the step, never below `min_rate`."""
    scaled = recipe.rate * recipe.warm_up**0.5 * min((step + 1) * recipe.warm_up**-1.5, (step + 1) ** -0.5)
    return float(scaled if step < recipe.warm_up else max(scaled, recipe.min_rate))


@dataclass
class _State:
    """State of a training, as in its checkpoint."""

    flow: torch.nn.Module
    optimiser: torch.optim.Optimizer
    best_weights: dict[str, Tensor]
    best: float = float("inf")
    """The lowest mean bits per frame on the held-out clips so far, reached at `best_step`."""
    best_step: int = 0
    step: int = 0

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        content = {
            "flow": self.flow.state_dict(), "optimiser": self.optimiser.state_dict(), "step": self.step,
            "best": self.best, "best_state": self.best_weights, "best_step": self.best_step,
        }  # fmt: skip
        save_checkpoint(path, content)

    def load(self, path: Path) -> None:
        """Read a checkpoint."""
        content = torch.load(path, weights_only=True)
        self.flow.load_state_dict(content["flow"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.best, self.best_weights, self.best_step = content["best"], content["best_state"], content["best_step"]
        self.step = content["step"]

    def record(self, bits: float) -> None:
        """Keep the current weights if they are the best so far."""
        if bits < self.best:
            self.best, self.best_weights, self.best_step = bits, copy.deepcopy(self.flow.state_dict()), self.step


def train_flow(
    speech: AudioToMotion, clips: Sequence[Clip], identities: Sequence[str], out: Path, recipe: FlowRecipe
) -> dict[str, Any]:
    """Train the flow of `speech` until the likelihood of held-out speakers stops rising; keep the best weights.

    `identities` holds the identity of each clip. Resumes from `out/checkpoint.pt` if it exists.
    """
    held = set(sorted(set(identities))[:: recipe.held_out])
    seen, unseen = (
        [clip for clip, identity in zip(clips, identities, strict=True) if (identity in held) == side]
        for side in (False, True)
    )
    flow, random = speech.flow.train(), np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    optimiser = torch.optim.Adam(flow.parameters(), recipe.rate, weight_decay=recipe.decay)
    state, checkpoint = _State(flow, optimiser, copy.deepcopy(flow.state_dict())), out / "checkpoint.pt"
    if checkpoint.exists():
        state.load(checkpoint)
    else:
        initialise(speech, _windows(seen, recipe.window, 128, random))
    total = 0.0
    for step in range(state.step, recipe.steps):
        total += _step(speech, optimiser, seen, step, recipe)
        if (step + 1) % recipe.evaluate_every:
            continue
        bits, state.step = mean_bits(speech, unseen), step + 1
        print(f"step {step + 1} loss {total / recipe.evaluate_every:.3f} unseen {bits:.3f} bits/frame", flush=True)
        total = 0.0
        state.record(bits)
        state.save(checkpoint)
        if step + 1 - state.best_step >= recipe.patience * recipe.evaluate_every:
            break
    flow.load_state_dict(state.best_weights)
    flow.eval().requires_grad_(False)
    return {"best_bits": round(state.best, 3), "best_step": state.best_step, "held_out_clips": len(unseen)}


def _step(
    speech: AudioToMotion, optimiser: torch.optim.Optimizer, clips: Sequence[Clip], step: int, recipe: FlowRecipe
) -> float:
    """Do one step on windows sampled with the step number as seed; return the loss."""
    for group in optimiser.param_groups:
        group["lr"] = noam(step, recipe)
    windows = _windows(clips, recipe.window, recipe.batch, np.random.default_rng((recipe.seed, step)))
    loss = speech.nll(*windows, pose_dropout=recipe.pose_dropout).mean()
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_value_(speech.flow.parameters(), recipe.clip_value)
    torch.nn.utils.clip_grad_norm_(speech.flow.parameters(), recipe.clip_norm)
    optimiser.step()
    return float(loss.detach())


def initialise(speech: AudioToMotion, batch: Clip) -> None:
    """Initialise the ActNorm layers from a batch."""
    errors, condition = speech.flow_inputs(*batch)
    speech.flow.initialise(errors, condition)


def mean_bits(speech: AudioToMotion, clips: Sequence[Clip]) -> float:
    """Return the mean negative log-likelihood of whole clips in bits per frame, every frame weighted equally."""
    speech.flow.eval()
    with torch.no_grad():
        counted = [
            (float(speech.nll(*(part[None] for part in clip))[0]), len(clip[0]) - speech.config.memory)
            for clip in clips
        ]
    speech.flow.train()
    return float(np.average([bits for bits, _ in counted], weights=[count for _, count in counted]))


def _windows(clips: Sequence[Clip], count: int, batch: int, random: np.random.Generator) -> Clip:
    """Cut windows of `count` frames out of clips sampled in proportion to their length; shorter clips are left out."""
    lengths = np.array([max(0, len(clip[0]) - count + 1) for clip in clips], float)
    chosen = random.choice(len(clips), batch, p=lengths / lengths.sum())
    firsts = [int(random.integers(0, lengths[one])) for one in chosen]
    parts = [[part[first : first + count] for part in clips[one]] for one, first in zip(chosen, firsts, strict=True)]
    motion, mean, columns = (torch.stack(part) for part in zip(*parts, strict=True))
    return motion, mean, columns
