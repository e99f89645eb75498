"""Conditional normalizing flow for sequences: MoGlow (Henter et al. 2020), the basis of PIRenderer's section 3.3.

Tensors are (batch, channels, frames) unless stated otherwise. `Flow.forward` maps data to latents, `Flow.invert` maps
latents to data. Both take and return the state of the LSTMs, so a sequence can be processed whole or frame by frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

State = list[tuple[Tensor, Tensor] | None]
"""h and c (layers, batch, hidden) of the LSTM of each step; None before the first frame."""

SCALE_OFFSET, SCALE_FLOOR = 2.0, 1e-6
"""scale = sigmoid(raw + 2) + 1e-6, so that a newly initialised coupling is close to the identity."""
DEVIATION_FLOOR = 1e-6
LSTM_LAYERS = 2


@dataclass(frozen=True)
class FlowConfig:
    """Sizes of a flow."""

    channels: int
    """Channels of the data."""
    condition_channels: int
    hidden: int = 128
    steps: int = 8
    """K of the paper."""
    convolution: Literal["lu", "dense"] = "lu"
    """Parametrisation of the invertible 1x1 convolutions."""
    degrees: float = 0.0
    """Degrees of freedom of a Student-t prior; 0 selects a Gaussian prior."""


class ActNorm(nn.Module):
    """Scale and shift per channel: y = (x + bias) * exp(logs), initialised from the first training batch."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1))
        self.logs = nn.Parameter(torch.zeros(1, channels, 1))

    def initialise(self, x: Tensor) -> None:
        """Set bias and scale so that each channel of `x` has mean 0 and standard deviation 1 in the output."""
        with torch.no_grad():
            self.bias.copy_(-x.mean(dim=(0, 2), keepdim=True))
            deviation = (x + self.bias).pow(2).mean(dim=(0, 2), keepdim=True).sqrt()
            self.logs.copy_(-(deviation + DEVIATION_FLOOR).log())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scaled data and the log-determinant of one frame."""
        return (x + self.bias) * self.logs.exp(), self.logs.sum()

    def invert(self, y: Tensor) -> Tensor:
        """Undo `forward`."""
        return y * (-self.logs).exp() - self.bias


class DenseConvolution(nn.Module):
    """Invertible 1x1 convolution with an unconstrained matrix, initialised as a random rotation."""

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(_random_rotation(channels))

    def matrix(self) -> Tensor:
        """Return the (C, C) matrix."""
        return self.weight

    def log_determinant(self) -> Tensor:
        """Return log|det| of the matrix."""
        log_determinant: Tensor = torch.linalg.slogdet(self.weight)[1]
        return log_determinant


class LuConvolution(nn.Module):
    """Invertible 1x1 convolution as P L (U + D): unit lower L, strictly upper U; P and the signs of D are fixed."""

    p: Tensor
    sign_s: Tensor

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        p, lower, upper = torch.linalg.lu(_random_rotation(channels))
        diagonal = upper.diagonal()
        self.register_buffer("p", p)
        self.register_buffer("sign_s", diagonal.sign())
        self.l = nn.Parameter(lower)
        self.log_s = nn.Parameter(diagonal.abs().log())
        self.u = nn.Parameter(upper.triu(1))

    def matrix(self) -> Tensor:
        """Return the (C, C) matrix. Only the strict triangles of `l` and `u` count."""
        lower = self.l.tril(-1) + torch.eye(len(self.l), dtype=self.l.dtype)
        upper = self.u.triu(1) + torch.diag(self.sign_s * self.log_s.exp())
        return self.p @ lower @ upper

    def log_determinant(self) -> Tensor:
        """Return log|det| of the matrix."""
        return self.log_s.sum()


def _random_rotation(channels: int) -> Tensor:
    rotation: Tensor = torch.linalg.qr(torch.randn(channels, channels))[0]
    return rotation


class CouplingNetwork(nn.Module):
    """Network of a coupling, from the kept half and the condition: an LSTM and a linear layer, initialised as zero."""

    def __init__(self, *, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, LSTM_LAYERS, batch_first=True)
        self.linear = nn.Linear(hidden, outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Map (B, inputs, T) to (B, outputs, T). Also returns the state after the last frame."""
        hidden, state = self.lstm(x.transpose(1, 2), state)
        return self.linear(hidden).transpose(1, 2), state


class FlowStep(nn.Module):
    """ActNorm, invertible 1x1 convolution, affine coupling."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.kept = config.channels // 2
        self.actnorm = ActNorm(channels=config.channels)
        convolution = LuConvolution if config.convolution == "lu" else DenseConvolution
        self.invconv = convolution(channels=config.channels)
        self.f = CouplingNetwork(
            inputs=self.kept + config.condition_channels,
            hidden=config.hidden,
            outputs=2 * (config.channels - self.kept),
        )

    def forward(
        self, x: Tensor, condition: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Return the transformed data, the log-determinant (B,) over all frames, and the state of the LSTM."""
        x, norm_log_determinant = self.actnorm(x)
        x = self.invconv.matrix() @ x
        first, rest = x[:, : self.kept], x[:, self.kept :]
        shift, scale, state = self._affine(first, condition, state)
        rest = (rest + shift) * scale
        per_frame = norm_log_determinant + self.invconv.log_determinant()
        return torch.cat([first, rest], 1), scale.log().sum((1, 2)) + per_frame * x.shape[2], state

    def invert(
        self, y: Tensor, condition: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Undo `forward`."""
        first, rest = y[:, : self.kept], y[:, self.kept :]
        shift, scale, state = self._affine(first, condition, state)
        x = torch.cat([first, rest / scale - shift], 1)
        # In double precision: a nearly singular matrix would lose the digits that parity with the reference needs.
        inverse = torch.linalg.inv(self.invconv.matrix().double()).to(x.dtype)
        return self.actnorm.invert(inverse @ x), state

    def _affine(
        self, first: Tensor, condition: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        out, state = self.f(torch.cat([first, condition], 1), state)
        # Interleaved: even channels are shifts, odd channels are scales.
        return out[:, 0::2], torch.sigmoid(out[:, 1::2] + SCALE_OFFSET) + SCALE_FLOOR, state


class Flow(nn.Module):
    """K steps in sequence and a prior. Parameter names are those of StyleGestures (`layers.N.actnorm.bias`, …)."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(FlowStep(config) for _ in range(config.steps))

    @property
    def each(self) -> list[FlowStep]:
        """Return the steps."""
        return [layer for layer in self.layers if isinstance(layer, FlowStep)]

    def forward(self, x: Tensor, condition: Tensor, state: State | None = None) -> tuple[Tensor, Tensor, State]:
        """Map data (B, C, T) with conditions (B, A, T) to latents.

        Returns latents (B, C, T), the log-determinant (B,), and the state from which to continue with later frames.
        """
        state, total, after = state or [None] * len(self.layers), x.new_zeros(len(x)), []
        for layer, memory in zip(self.each, state, strict=True):
            x, log_determinant, memory = layer(x, condition, memory)
            total = total + log_determinant
            after.append(memory)
        return x, total, after

    def invert(self, z: Tensor, condition: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Map latents (B, C, T) back to data. Returns the data and the state."""
        after: State = []
        state = state or [None] * len(self.layers)
        for layer, memory in zip(self.each[::-1], state[::-1], strict=True):
            z, memory = layer.invert(z, condition, memory)
            after.append(memory)
        return z, after[::-1]

    def initialise(self, x: Tensor, condition: Tensor) -> None:
        """Initialise each ActNorm from the data (B, C, T) that reaches it. Call this once, before training."""
        with torch.no_grad():
            for layer in self.each:
                layer.actnorm.initialise(x)
                x = layer(x, condition, None)[0]

    def log_prior(self, z: Tensor) -> Tensor:
        """Return the log-density (B,) of latents (B, C, T) under the prior, summed over frames."""
        if not self.config.degrees:
            gaussian: Tensor = (-0.5 * (z.pow(2) + math.log(2 * math.pi))).sum((1, 2))
            return gaussian
        # Multivariate Student-t over the channels of a frame, with unit scale matrix.
        nu, count = self.config.degrees, z.shape[1]
        norm = math.lgamma((nu + count) / 2) - math.lgamma(nu / 2) - count / 2 * math.log(nu * math.pi)
        student: Tensor = (norm - (nu + count) / 2 * torch.log1p(z.pow(2).sum(1) / nu)).sum(1)
        return student

    def nll(self, x: Tensor, condition: Tensor) -> Tensor:
        """Return the negative log-likelihood (B,) of whole sequences in bits per frame."""
        z, log_determinant, _ = self(x, condition)
        bits: Tensor = -(log_determinant + self.log_prior(z)) / (math.log(2) * x.shape[2])
        return bits

    def draw(self, count: int, generator: torch.Generator, temperature: float = 1.0) -> Tensor:
        """Sample latents (1, C, count) from the prior, multiplied by `temperature`."""
        z = torch.randn(count, self.config.channels, generator=generator)
        if self.config.degrees:
            squares = torch.randn(count, round(self.config.degrees), generator=generator).pow(2)
            z = z / (squares.sum(1, keepdim=True) / self.config.degrees).sqrt()
        return (z * temperature).T[None]


def conditions(previous: Tensor, control: Tensor, *, memory: int, lookahead: int) -> Tensor:
    """Return the conditions of T frames in StyleGestures' layout, with k = `memory`.

    `previous` (B, T + k - 1, C) is the motion from k frames before the first frame to one before the last. `control`
    (B, T + k + lookahead, A) is the sound from k frames before the first frame to `lookahead` after the last. The
    result is (B, C k + A (k + 1 + lookahead), T): the motion, then the sound, each with the oldest frame first.
    """
    windows = (previous.unfold(1, memory, 1), control.unfold(1, memory + 1 + lookahead, 1))
    return torch.cat([window.transpose(2, 3).flatten(2) for window in windows], 2).transpose(1, 2)
