"""The audio-to-motion network: encoders for the motion that sound determines, and a flow for the rest.

Expression is generated in a few directions. Small encoders, each trained on other speakers, predict their mean from the
sound. The remainder and the head's pose form a sequence: a linear predictor extrapolates it from its last k frames, and
the flow (PIRenderer, section 3.3) samples the prediction error, conditioned on those frames and on the sound from k
frames before to tau frames after the frame.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facepipe.models.rows import row_product
from facepipe.motion.features import Features
from facepipe.motion.flow import Flow, FlowConfig, conditions

POSE_CHANNELS = 6
ENCODER_DILATIONS = (1, 2, 2, 2, 2)
ENCODER_RADIUS = 1 + sum(ENCODER_DILATIONS)
"""Frames of context on each side of a frame in an encoder."""
FPS = 25
"""Frame rate of the model's motion and features."""


@dataclass(frozen=True)
class AudioToMotionConfig:
    """Sizes of the network."""

    directions: int = 24
    """Directions of expression."""
    columns: int = 41
    """Features per frame: log-mel bands and voicing."""
    encoders: int = 8
    encoder_width: int = 128
    dropout: float = 0.3
    memory: int = 4
    """k: previous frames of motion, and of sound, in the flow's condition."""
    lookahead: int = 4
    """tau: frames of sound after each frame in the flow's condition, beyond the context of the encoders."""
    controls: int = 10
    """Number of leading directions whose mean conditions the flow, along with energy and voicing."""
    hidden: int = 64
    steps: int = 6
    convolution: str = "lu"
    degrees: float = 0.0

    @property
    def channels(self) -> int:
        """Return the number of channels of a motion frame."""
        return self.directions + POSE_CHANNELS

    @property
    def flow(self) -> FlowConfig:
        """Return the sizes of the flow."""
        sound = (self.controls + 2) * (self.memory + 1 + self.lookahead)
        return FlowConfig(
            channels=self.channels,
            condition_channels=self.channels * self.memory + sound,
            hidden=self.hidden,
            steps=self.steps,
            convolution="dense" if self.convolution == "dense" else "lu",
            degrees=self.degrees,
        )


class SoundEncoder(nn.Module):
    """Residual convolutions that predict the mean expression from the columns of the sound."""

    def __init__(self, config: AudioToMotionConfig) -> None:
        super().__init__()
        width = config.encoder_width
        self.enter = nn.Conv1d(config.columns, width, 3)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm1d(width),
                nn.GELU(),
                nn.Dropout(config.dropout),
                nn.Conv1d(width, width, 3, dilation=dilation),
            )
            for dilation in ENCODER_DILATIONS
        )
        self.leave = nn.Sequential(nn.GELU(), nn.Dropout(config.dropout), nn.Conv1d(width, config.directions, 1))

    def forward(self, columns: Tensor) -> Tensor:
        """Map columns (B, T + 2 * ENCODER_RADIUS, A) to mean directions (B, T, D)."""
        x = self.enter(columns.transpose(1, 2))
        for dilation, block in zip(ENCODER_DILATIONS, self.blocks, strict=True):
            x = x[:, :, dilation:-dilation] + block(x)
        mean: Tensor = self.leave(x).transpose(1, 2)
        return mean


class AudioToMotion(nn.Module):
    """The complete network. Motion is (B, T, C): directions of expression, then pose, in standard deviations."""

    column_mean: Tensor
    column_deviation: Tensor
    encode: Tensor
    decode: Tensor
    deviation: Tensor
    prediction: Tensor
    innovation: Tensor
    emphasis: Tensor

    def __init__(self, config: AudioToMotionConfig) -> None:
        super().__init__()
        self.config = config
        channels, directions = config.channels, config.directions
        for name, shape in {
            "column_mean": (config.columns,),
            "column_deviation": (config.columns,),
            # Expression (64) to directions, and back.
            "encode": (64, directions),
            "decode": (directions, 64),
            "deviation": (channels,),
            # The linear prediction from the last k frames, oldest first, and the standard deviation of its error.
            "prediction": (config.memory * channels, channels),
            "innovation": (channels,),
            # Gains of the mean that the sound determines and of the sampled remainder.
            "emphasis": (2,),
        }.items():
            self.register_buffer(name, torch.zeros(shape))
        self.encoders = nn.ModuleList(SoundEncoder(config) for _ in range(config.encoders))
        self.flow = Flow(config.flow)

    def columns(self, features: Features, frames: NDArray[np.intp] | slice = slice(None)) -> Tensor:
        """Return standardised log-mel and voicing (T, A) of the selected frames."""
        raw = np.concatenate([features.log_mel[frames], features.voicing[frames, None]], axis=1)
        return (torch.from_numpy(raw.astype(np.float32)) - self.column_mean) / self.column_deviation

    def mean(self, columns: Tensor) -> Tensor:
        """Return mean directions (T, D) for columns (T + 2 * ENCODER_RADIUS, A), averaged over the encoders."""
        return torch.stack([encoder(columns[None])[0] for encoder in self.encoders]).mean(0)

    def controls(self, mean: Tensor, columns: Tensor) -> Tensor:
        """Return the sound conditions (B, T, controls + 2) of the flow from means and columns (B, T, …)."""
        log_mel, voicing = columns[..., :-1], columns[..., -1:]
        return torch.cat([mean[..., : self.config.controls], log_mel.mean(-1, keepdim=True), voicing], -1)

    def standardised(self, delta: Tensor) -> Tensor:
        """Turn deltas (…, 70) into motion (…, C)."""
        return torch.cat([delta[..., :64] @ self.encode, delta[..., 64:]], -1) / self.deviation

    def expression(self, directions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the expression part (T, 64) of deltas, from directions (T, D) in standard deviations.

        A frame's result does not depend on the frames that are passed with it.
        """
        scaled = directions * self.deviation[: self.config.directions].numpy()
        return np.asarray(row_product(scaled, self.decode.numpy()))

    def pose(self, motion: Tensor) -> Tensor:
        """Return the pose part (…, 6) of deltas, from the pose part of motion."""
        return motion * self.deviation[self.config.directions :]

    def remainder(self, motion: Tensor, mean: Tensor) -> Tensor:
        """Return motion (B, T, C) with the mean that the sound determines (B, T, D) subtracted from its directions."""
        return torch.cat([motion[..., : self.config.directions] - mean, motion[..., self.config.directions :]], -1)

    def predicted(self, previous: Tensor) -> Tensor:
        """Return the linear prediction (B, T, C) of T frames from the previous remainders (B, T + k - 1, C)."""
        windows = previous.unfold(1, self.config.memory, 1).transpose(2, 3).flatten(2)
        return windows @ self.prediction

    def flow_inputs(self, motion: Tensor, mean: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return the flow's inputs for clips (B, T, …): prediction errors (B, C, T - k - tau) and their conditions."""
        k, end = self.config.memory, motion.shape[1] - self.config.lookahead
        remainder = self.remainder(motion, mean)[:, :end]
        error = (remainder[:, k:] - self.predicted(remainder[:, :-1])) / self.innovation
        controls = self.controls(mean, columns)
        condition = conditions(remainder[:, :-1], controls, memory=k, lookahead=self.config.lookahead)
        return error.transpose(1, 2), condition

    def nll(self, motion: Tensor, mean: Tensor, columns: Tensor, *, pose_dropout: float = 0.0) -> Tensor:
        """Return the negative log-likelihood (B,) of motion (B, T, C) in bits per frame.

        `mean` and `columns` (B, T, …) cover the same frames. The first k frames and the last tau serve only as context.
        """
        error, condition = self.flow_inputs(motion, mean, columns)
        if pose_dropout:
            # Drops all channels of a previous frame at once, so that the flow does not rely on the latest frames alone.
            k, channels = self.config.memory, self.config.channels
            kept = torch.rand(len(motion), k, 1, condition.shape[2]) >= pose_dropout
            previous = condition[:, : k * channels] * kept.expand(-1, -1, channels, -1).flatten(1, 2)
            condition = torch.cat([previous, condition[:, k * channels :]], 1)
        bits: Tensor = self.flow.nll(error, condition) + torch.log2(self.innovation).sum()
        return bits


def padded(columns: Tensor | NDArray[np.floating], before: int, after: int) -> Tensor:
    """Pad columns (T, A) by repeating the first `before` times and the last `after` times."""
    columns = torch.as_tensor(columns)
    return torch.cat([columns[:1].expand(before, -1), columns, columns[-1:].expand(after, -1)])


def config_from(values: dict[str, object]) -> AudioToMotionConfig:
    """Build a configuration from the values of a file header. Raises TypeError for unknown names."""
    known = {field.name for field in fields(AudioToMotionConfig)}
    if unknown := set(values) - known:
        raise TypeError(f"unknown sizes {sorted(unknown)}")
    return AudioToMotionConfig(**values)  # type: ignore[arg-type]
