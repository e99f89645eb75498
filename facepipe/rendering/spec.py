"""The declaration of a renderer. It imports neither NumPy nor torch, so that the command line can read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Protocol

from facepipe.spaces import SPACES, MotionSpace

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from facepipe.rendering.source import Picture, Source
    from facepipe.spaces.coefficients import Coefficients

    FrameRenderer = Callable[[Coefficients, int, int], Iterator[Picture]]
    """Yields (S, S, 3) uint8 RGB frames for rows of motion, from the first up to, not including, the end."""
    Prepared = Mapping[str, Tensor]
    """The tensors that a renderer computes once for a source."""

NETWORK = "network"
"""The name under which a renderer is given the file of its network, whichever weight that is."""


class OpenRenderer(Protocol):
    """A function that opens a renderer for one source."""

    def __call__(
        self, weights: Mapping[str, Path], source: Source, *, prior: Any, prepared: Prepared | None, compiled: bool
    ) -> FrameRenderer:
        """Open the renderer.

        Args:
            weights: Files by registry name; that of the network as `NETWORK`.
            source: The portrait.
            prior: What the function `open_prior` of the spec's prior returned; None without a prior.
            prepared: What the spec's `prepare` computed for this source, where it was given.
            compiled: Whether torch compiles the network first.
        """


@dataclass(frozen=True, kw_only=True)
class RendererSpec:
    """What a renderer is and needs. Code is named as "module:attribute" and imported when it is first used."""

    name: str
    about: str
    """One line for help texts."""
    space: str
    """Name of the motion space that it renders from."""
    open: str
    """An `OpenRenderer`."""
    open_prior: str = ""
    """For a renderer on which others build: a function of weights and source that returns what these are handed."""
    prior: str = ""
    """Name of the renderer that it builds on; empty if none."""
    prepare: str = ""
    """A function of weights and source that computes its `Prepared` tensors; empty if it computes none."""
    weights: tuple[str, ...] = ()
    """Registry names of the files that it needs beside its network."""
    network: str = ""
    """Registry name of its network, which --weights can replace by another of the same form; empty if it has none."""
    context_frames: int = 0
    """How many frames before and after a frame it reads."""
    side_multiple: int = 2
    """The side of its pictures must be a multiple of this number of pixels."""
    official: Mapping[str, str] = field(default_factory=dict)
    """By registry name: the function that reads a file in the form in which its authors publish it."""
    min_frames_per_second: float = 0
    """Speed of the whole job on two cores that `facepipe bench` holds it to; 0 for no threshold."""
    max_memory_gigabytes: float = 0
    """Peak memory that `facepipe bench` holds it to; 0 for no threshold."""

    @property
    def motion_space(self) -> MotionSpace:
        """The motion space that it renders from."""
        return SPACES[self.space]

    @property
    def files(self) -> tuple[str, ...]:
        """The names under which it is given its weights: those beside the network, and `NETWORK`."""
        return (*self.weights, *([NETWORK] if self.network else []))

    def compute(self, weights: Mapping[str, Path], source: Source) -> Prepared:
        """Compute what the renderer needs of a source once. Call it only where `prepare` is declared."""
        computed: Prepared = resolve_name(self.prepare)(weights, source)
        return computed
