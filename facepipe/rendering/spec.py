"""The declaration of a renderer. It imports neither NumPy nor torch, so that the command line can read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from facepipe.rendering.quality import QualityThresholds
from facepipe.spaces import SPACES, MotionSpace

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from facepipe.rendering.source import Picture, Source
    from facepipe.spaces.coefficients import Coefficients

    FrameRenderer = Callable[[Coefficients, int, int], Iterator[Picture]]
    """Called with (motion, first, end); yields (S, S, 3) uint8 RGB frames for the rows first to end - 1, or (S, S, 4)
    with straight alpha if the spec has `has_alpha`."""
    PreparedTensors = Mapping[str, Tensor]
    """Tensors that a renderer computes once per source, by name."""

MATTING = "matting"
"""Registry name of the network that finds the person in a picture."""
NETWORK = "network"
"""Key of the network's file in the weights given to a renderer, whichever registered weight it is."""


class SourceKind(str, Enum):
    """What a renderer animates."""

    PICTURE = "picture"
    """The face of a picture or of a frame of a video."""
    AVATAR = "avatar"
    """An avatar, a params.json."""


class OpenRenderer(Protocol):
    """A function that opens a renderer for one source."""

    def __call__(
        self,
        weights: Mapping[str, Path],
        source: Source,
        *,
        prior: Any,
        prepared: PreparedTensors | None,
        compiled: bool,
    ) -> FrameRenderer:
        """Open the renderer.

        Args:
            weights: Files by registry name; the network under `NETWORK`.
            source: The portrait.
            prior: The result of `open_prior` of the spec's prior; None without a prior.
            prepared: The result of the spec's `prepare` for this source; None if it was not computed before.
            compiled: Whether torch compiles the network first.
        """


class PrepareSource(Protocol):
    """A function that computes what a renderer needs once per source."""

    def __call__(self, weights: Mapping[str, Path], source: Source, *, prior: Any) -> PreparedTensors:
        """Return the tensors. The parameters are those of `OpenRenderer`."""


@dataclass(frozen=True, kw_only=True)
class RendererSpec:
    """Declaration of a renderer. Functions are given as "module:attribute" and imported on first use."""

    name: str
    about: str
    """One line for help texts."""
    space: str
    """Name of the renderer's motion space."""
    open: str
    """An `OpenRenderer`."""
    source: SourceKind = SourceKind.PICTURE
    open_prior: str = ""
    """For a renderer that others use as prior: a function of weights and source that returns the prior."""
    prior: str = ""
    """Name of the renderer that this one builds on; empty if none."""
    prepare: str = ""
    """A `PrepareSource`; empty if the renderer has none."""
    weights: tuple[str, ...] = ()
    """Registry names of the required files, without the network."""
    network: str = ""
    """Registry name of the default network; --weights selects another of the same form. Empty if there is none."""
    needs_matte: bool = False
    """Whether the renderer needs the matte of the source (`Source.matte`)."""
    max_pictures: int = 1
    """The largest number of pictures of one person that `prepare` pools (`Source.more` holds all but the first)."""
    simple_kinds: tuple[str, ...] = ()
    """Kinds of networks, as their files state them, that use one picture of the source whatever `max_pictures` is, and
    of the driver the motion only, never the landmarks."""
    has_alpha: bool = False
    """Whether frames have alpha, the matte of the rendered head."""
    background: str = "source"
    """Value of --background for "auto" if frames have alpha."""
    mixed_kinds: tuple[str, ...] = ()
    """Kinds of networks, as their files state them, whose frames with alpha show the portrait's background as well, in
    the colours of transparent and soft pixels. It is removed from them over another background."""
    context_frames: int = 0
    """Frames of motion before and after a frame that it depends on."""
    side_multiple: int = 2
    """The side of pictures, in pixels, must be a multiple of this."""
    official: Mapping[str, str] = field(default_factory=dict)
    """By registry name: the function that reads a file as published by its authors."""
    min_frames_per_second: float = 0
    """Threshold of `facepipe bench` for the speed of the whole job on two cores; 0 for none."""
    max_memory_gigabytes: float = 0
    """Threshold of `facepipe bench` for the peak memory; 0 for none."""
    quality: QualityThresholds = field(default_factory=QualityThresholds)
    """Thresholds of `facepipe evaluate`."""
    compared_with: tuple[str, ...] = ()
    """Names of renderers that `facepipe evaluate` measures beside this one; the mesh renderer always is."""

    @property
    def motion_space(self) -> MotionSpace:
        """The renderer's motion space."""
        return SPACES[self.space]

    @property
    def registered(self) -> tuple[str, ...]:
        """Registry names of all weights that rendering with the default network needs."""
        matting = (MATTING,) if self.needs_matte else ()
        return (*matting, *self.weights, *([self.network] if self.network else []))

    @property
    def files(self) -> tuple[str, ...]:
        """Keys of the weights given to the renderer: `weights`, and `NETWORK` if it has one."""
        return (*self.weights, *([NETWORK] if self.network else []))
