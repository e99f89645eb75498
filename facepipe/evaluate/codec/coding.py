"""One clip by one codec at one setting: what every coder returns."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from facepipe.evaluate.codec.clips import CodecClip, Frames

Result = TypeVar("Result")


@dataclass(frozen=True)
class Effort:
    """The time of one command."""

    seconds: float
    """By the clock."""
    cpu_seconds: float
    """Of the processors, in the command and what it starts."""


@dataclass(frozen=True)
class Coded:
    """A coded clip and its decoded frames."""

    stream_bytes: int
    key_bytes: int
    """The part of the stream that is its key frames."""
    frames: Frames
    """(T, S, S, 3), as many as the clip's."""
    encoding: Effort
    decoding: Effort
    tokens: NDArray[np.int64] | None = None
    """(N, D) the quantised tokens that were entropy-coded; None for a codec without tokens."""
    token_bytes: int = 0
    """The part of the stream that holds the tokens."""
    scale: int = 0
    """The scale at which they were quantised: tokens of different scales have different distributions."""
    key_frames: int = 1


class Coder(Protocol):
    """A codec at one setting."""

    @property
    def name(self) -> str:
        """A unique name, which is also that of its files."""

    @property
    def family(self) -> str:
        """The codec without its setting: a curve of the plot."""

    @property
    def about(self) -> str:
        """The setting, as text for tables."""

    @property
    def identity(self) -> str:
        """What the result depends on beside the clip; another text makes a cached result invalid."""

    def code(self, clip: CodecClip) -> Coded:
        """Encode and decode a clip. Raises FacepipeError."""


def timed(work: Callable[[], Result]) -> tuple[Result, Effort]:
    """Run `work` and return its result with the time that it and the programs it started took."""
    start, before = time.perf_counter(), _cpu_seconds()
    result = work()
    return result, Effort(time.perf_counter() - start, _cpu_seconds() - before)


def _cpu_seconds() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
