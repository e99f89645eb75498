"""The whole network in its plain form, the reference of the faster `inference`."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.editing import EditingNet
from facepipe.renderers.pirender.mapping import MappingNet
from facepipe.renderers.pirender.warping import WarpingNet, warped


class Rendering(NamedTuple):
    """Output of the network for sources and windows of motion. Fields have the published names."""

    flow_field: Tensor
    """(B, 2, h, w), x first, in pixels of its own grid."""
    warp_image: Tensor
    """(B, 3, H, W), the source warped by the flow."""
    fake_image: Tensor | None
    """(B, 3, H, W) in [-1, 1], the final picture; None if only the warp was computed."""


class Pirender(nn.Module):
    """PIRenderer. The state dict has the published keys in the published order, including the spelling "warpping"."""

    def __init__(self, config: PirenderConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping_net = MappingNet(config)
        self.warpping_net = WarpingNet(config)
        self.editing_net = EditingNet(config)

    def forward(self, source: Tensor, windows: Tensor, *, edit: bool = True) -> Rendering:
        """Render (B, 3, H, W) sources in [-1, 1] with (B, 73, T) windows of motion, oldest frame first.

        Without `edit` only the warp is computed, as in the first phase of training. Raises ValueError for sizes that
        are not a multiple, at least the double, of the config's `stride`, and for windows that are too short.
        """
        check_inputs(self.config, source, windows)
        z = self.mapping_net(windows)
        flow_field = self.warpping_net(source, z)
        warp_image = warped(source, flow_field)
        return Rendering(flow_field, warp_image, self.editing_net(source, warp_image, z) if edit else None)


def check_inputs(config: PirenderConfig, source: Tensor, windows: Tensor) -> None:
    """Raise ValueError for sizes of sources or windows that the network does not support."""
    height, width = source.shape[-2:]
    if height % config.stride or width % config.stride or min(height, width) < 2 * config.stride:
        raise ValueError(
            f"got a picture of {width}x{height} pixels, expected multiples of {config.stride} from {2 * config.stride}"
        )
    channels, frames = windows.shape[-2:]
    if channels != config.coefficients or frames < config.min_frames:
        raise ValueError(
            f"got windows of {channels} channels by {frames} frames, expected {config.coefficients} channels by at "
            f"least {config.min_frames} frames"
        )
