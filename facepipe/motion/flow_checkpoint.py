"""Checkpoints of flows in StyleGestures' key layout: `graph` holds `flow.layers.N.{actnorm,invconv,f}.…`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from facepipe.errors import WeightsError
from facepipe.motion.flow import Flow, FlowConfig

PREFIX = "flow."


def flow_from_stylegestures(content: Mapping[str, Any], *, degrees: float = 0.0) -> Flow:
    """Build a flow from the content of a checkpoint: `{"graph": tensors, …}`, or the tensors alone.

    Sizes are inferred from the tensors. A checkpoint does not contain `degrees` of a Student-t prior. Loading is strict
    and takes the ActNorms as initialised. Raises WeightsError for any other content.
    """
    tensors = content.get("graph", content)
    inner = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
    try:
        flow = Flow(_sizes(inner, degrees))
        flow.load_state_dict(inner, strict=True)
    except (KeyError, AttributeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"the content is not a checkpoint of a StyleGestures flow ({reason}); use one of its `.pt` files"
        ) from error
    return flow


def stylegestures_state(flow: Flow) -> dict[str, Tensor]:
    """Return the tensors of a flow under StyleGestures' names."""
    return {PREFIX + name: tensor for name, tensor in flow.state_dict().items()}


def _sizes(inner: Mapping[str, Tensor], degrees: float) -> FlowConfig:
    channels = inner["layers.0.actnorm.bias"].shape[1]
    inputs = inner["layers.0.f.lstm.weight_ih_l0"].shape[1]
    numbers = {int(match[1]) for name in inner if (match := re.match(r"layers\.(\d+)\.", name))}
    return FlowConfig(
        channels=channels,
        condition_channels=inputs - channels // 2,
        hidden=inner["layers.0.f.lstm.weight_hh_l0"].shape[1],
        steps=len(numbers),
        convolution="dense" if "layers.0.invconv.weight" in inner else "lu",
        degrees=degrees,
    )
