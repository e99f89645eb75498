"""The whole network, run in the plain way; `inference` gives the same faster."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.editing import EditingNet
from facepipe.renderers.pirender.mapping import MappingNet
from facepipe.renderers.pirender.warping import WarpingNet, warped


class Rendering(NamedTuple):
    """What the network makes of a source and a window of motion."""

    flow_field: Tensor
    """(B, 2, h, w), x first, in pixels of the flow's own grid."""
    warp_image: Tensor
    """(B, 3, H, W)"""
    fake_image: Tensor | None
    """(B, 3, H, W) in [-1, 1]; None where only the warp was asked for."""


class Pirender(nn.Module):
    """PIRenderer. Its state has the published keys in the published order, the double p included."""

    def __init__(self, config: PirenderConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping_net = MappingNet(config)
        self.warpping_net = WarpingNet(config)
        self.editing_net = EditingNet(config)

    def forward(self, source: Tensor, windows: Tensor, *, edit: bool = True) -> Rendering:
        """Move (B, 3, H, W) sources in [-1, 1] by (B, 73, T) windows, oldest frame first.

        Without `edit` only the warp is computed, as in the first phase of training. Raises ValueError for sizes that
        the networks cannot halve often enough, and for windows that are too short.
        """
        check_inputs(self.config, source, windows)
        z = self.mapping_net(windows)
        flow_field = self.warpping_net(source, z)
        warp_image = warped(source, flow_field)
        return Rendering(flow_field, warp_image, self.editing_net(source, warp_image, z) if edit else None)


def check_inputs(config: PirenderConfig, source: Tensor, windows: Tensor) -> None:
    """Raise ValueError, saying what came, for what the network cannot take."""
    height, width = source.shape[-2:]
    if height % config.stride or width % config.stride or min(height, width) < 2 * config.stride:
        raise ValueError(
            f"got a picture of {width}x{height} pixels, expected multiples of {config.stride} from {2 * config.stride}"
        )
    channels, frames = windows.shape[-2:]
    if channels != config.coefficients or frames < config.least_frames:
        raise ValueError(
            f"got windows of {channels} channels by {frames} frames, expected {config.coefficients} channels by at "
            f"least {config.least_frames} frames"
        )
