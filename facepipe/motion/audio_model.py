"""From sound to motion: what the sound itself tells of the face, and a flow for all that it leaves open.

Expression is generated in a few directions. Their mean comes from small encoders of the sound, each trained on other
speakers. What remains, and the head's pose, is a sequence of its own: predicted linearly from its last k frames, and
the error of that prediction drawn by the flow (PIRenderer, section 3.3) conditioned on those frames and on the sound
from k frames before to tau after.
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
"""Frames to each side that an encoder hears."""
FPS = 25
"""Frames a second of everything here."""


@dataclass(frozen=True)
class AudioToMotionConfig:
    """Sizes."""

    directions: int = 24
    """Of expression."""
    columns: int = 41
    """Of the features that are used: log-mel and voicing."""
    encoders: int = 8
    encoder_width: int = 128
    dropout: float = 0.3
    memory: int = 4
    """k: frames of motion that are remembered, and of sound before each frame."""
    lookahead: int = 4
    """tau: frames of sound after each frame, on top of those that the encoders hear."""
    controls: int = 10
    """Directions whose mean the flow is told, the first ones, and energy and voicing after them."""
    hidden: int = 64
    steps: int = 6
    convolution: str = "lu"
    degrees: float = 0.0

    @property
    def channels(self) -> int:
        """Return how many numbers a frame of motion has."""
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
    """What the face does on average while something is said: residual convolutions over the sound's columns."""

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
    """The whole model. Motion inside is (B, T, C): directions of expression, then pose, in deviations."""

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
            # The linear prediction from the last k frames, oldest first, and the deviation of its error.
            "prediction": (config.memory * channels, channels),
            "innovation": (channels,),
            # How much what the sound tells is amplified, and how much of what it leaves open is kept.
            "emphasis": (2,),
        }.items():
            self.register_buffer(name, torch.zeros(shape))
        self.encoders = nn.ModuleList(SoundEncoder(config) for _ in range(config.encoders))
        self.flow = Flow(config.flow)

    def columns(self, features: Features, frames: NDArray[np.intp] | slice = slice(None)) -> Tensor:
        """Return what of features is used, standardised, (T, A); of some frames where it is told which."""
        raw = np.concatenate([features.log_mel[frames], features.voicing[frames, None]], axis=1)
        return (torch.from_numpy(raw.astype(np.float32)) - self.column_mean) / self.column_deviation

    def mean(self, columns: Tensor) -> Tensor:
        """Return the mean directions (T, D) of columns (T + 2 * ENCODER_RADIUS, A): the encoders' average."""
        return torch.stack([encoder(columns[None])[0] for encoder in self.encoders]).mean(0)

    def controls(self, mean: Tensor, columns: Tensor) -> Tensor:
        """Return what the flow is told of each frame of sound, (B, T, controls + 2), of means and columns (B, T, …)."""
        log_mel, voicing = columns[..., :-1], columns[..., -1:]
        return torch.cat([mean[..., : self.config.controls], log_mel.mean(-1, keepdim=True), voicing], -1)

    def standardised(self, delta: Tensor) -> Tensor:
        """Turn deltas (…, 70) into motion (…, C)."""
        return torch.cat([delta[..., :64] @ self.encode, delta[..., 64:]], -1) / self.deviation

    def expression(self, directions: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the expression part (T, 64) of deltas, from directions (T, D) in deviations.

        A frame's result does not depend on the frames that are passed with it.
        """
        scaled = directions * self.deviation[: self.config.directions].numpy()
        return np.asarray(row_product(scaled, self.decode.numpy()))

    def pose(self, motion: Tensor) -> Tensor:
        """Return the pose part (…, 6) of deltas, from the pose part of motion."""
        return motion * self.deviation[self.config.directions :]

    def remainder(self, motion: Tensor, mean: Tensor) -> Tensor:
        """Return what of motion (B, T, C) the sound's mean (B, T, D) leaves."""
        return torch.cat([motion[..., : self.config.directions] - mean, motion[..., self.config.directions :]], -1)

    def predicted(self, remembered: Tensor) -> Tensor:
        """Return the linear prediction (B, T, C) of T frames from the remainders (B, T + k - 1, C) before each."""
        windows = remembered.unfold(1, self.config.memory, 1).transpose(2, 3).flatten(2)
        return windows @ self.prediction

    def flow_inputs(self, motion: Tensor, mean: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the flow sees of clips (B, T, …): errors of prediction (B, C, T - k - tau) and conditions."""
        k, end = self.config.memory, motion.shape[1] - self.config.lookahead
        rest = self.remainder(motion, mean)[:, :end]
        error = (rest[:, k:] - self.predicted(rest[:, :-1])) / self.innovation
        controls = self.controls(mean, columns)
        condition = conditions(rest[:, :-1], controls, memory=k, lookahead=self.config.lookahead)
        return error.transpose(1, 2), condition

    def nll(self, motion: Tensor, mean: Tensor, columns: Tensor, *, pose_dropout: float = 0.0) -> Tensor:
        """Return the negative log-likelihood (B,) in bits a frame of motion (B, T, C).

        `mean` and `columns` (B, T, …) belong to the same frames; the first k frames and the last tau are context only.
        """
        error, condition = self.flow_inputs(motion, mean, columns)
        if pose_dropout:
            # Whole motions of a lag are lost, so that the flow cannot live by the last ones alone.
            k, channels = self.config.memory, self.config.channels
            kept = torch.rand(len(motion), k, 1, condition.shape[2]) >= pose_dropout
            remembered = condition[:, : k * channels] * kept.expand(-1, -1, channels, -1).flatten(1, 2)
            condition = torch.cat([remembered, condition[:, k * channels :]], 1)
        bits: Tensor = self.flow.nll(error, condition) + torch.log2(self.innovation).sum()
        return bits


def padded(columns: Tensor | NDArray[np.floating], before: int, after: int) -> Tensor:
    """Repeat the first and the last of columns (T, A)."""
    columns = torch.as_tensor(columns)
    return torch.cat([columns[:1].expand(before, -1), columns, columns[-1:].expand(after, -1)])


def config_from(values: dict[str, object]) -> AudioToMotionConfig:
    """Build a configuration of what a file holds; unknown names raise TypeError."""
    known = {field.name for field in fields(AudioToMotionConfig)}
    if unknown := set(values) - known:
        raise TypeError(f"unknown sizes {sorted(unknown)}")
    return AudioToMotionConfig(**values)  # type: ignore[arg-type]
