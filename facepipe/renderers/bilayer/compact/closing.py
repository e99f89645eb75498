"""The top of a head that the portrait's upper edge cuts off.

Beyond the edge, the reflected picture would continue the hair without end: a bun, where the head moves down.
The head is closed by half an ellipse over the columns in which it is cut.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# Height of the half ellipse, relative to half its width.
HEIGHT_RATIO = 0.3
# Width of the soft edge, in the unit of positions: half the picture's side.
SOFTNESS = 0.04
# Rows at the edge that decide where the head is cut, as a part of the side.
EDGE_RATIO = 0.015


def reach_above(matte: Tensor) -> Tensor:
    """Return how far a head is continued above each column, in the unit of positions.

    Args:
        matte: (B, 1, S, S) in [0, 1].

    Returns:
        (B, 1, 1, S), at least 0; 0 if the head is not cut.
    """
    side = matte.shape[-1]
    cut = matte[:, :, : max(1, round(EDGE_RATIO * side))].mean(2, keepdim=True) > 0.5
    columns = torch.linspace(-1, 1, side, device=matte.device).expand(cut.shape)
    # Without a cut, the last column comes before the first, and the radius is nothing.
    first, last = columns.where(cut, 2).amin(-1, keepdim=True), columns.where(cut, -2).amax(-1, keepdim=True)
    radius = (last - first).clamp(min=1e-6) / 2
    across = (columns - (first + last) / 2) / radius
    reach: Tensor = HEIGHT_RATIO * radius * (1 - across.square()).clamp(min=0).sqrt()
    return reach


def closing(matte: Tensor, position: Tensor) -> Tensor:
    """Return the share of the head that is left at positions above the upper edge; elsewhere 1.

    Args:
        matte: (B, 1, S, S) in [0, 1].
        position: (B, 2, H, W), x and y in the portrait; -1 and 1 are the centres of the outermost pixels.

    Returns:
        (B, 1, H, W) in [0, 1].
    """
    x, y = position.float().unbind(1)
    grid = torch.stack([x, torch.zeros_like(x)], -1)
    reach = functional.grid_sample(reach_above(matte).float(), grid, padding_mode="border", align_corners=True)
    beyond = (-1 - y)[:, None]
    share = ((reach - beyond) / SOFTNESS + 0.5).clamp(0, 1)
    return share.where(beyond > 0, 1)
