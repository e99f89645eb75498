"""Opens the renderer `bilayer` with a network of one of its forms, which the file of the network names."""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from facepipe.errors import WeightsError
from facepipe.rendering.source import Source
from facepipe.rendering.spec import NETWORK

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.rendering.spec import FrameRenderer, PreparedTensors

MODULES = {
    "bilayer": "facepipe.renderers.bilayer.streaming",
    "bilayer-compact": "facepipe.renderers.bilayer.compact.renderer",
}
"""By kind of network: the module with its `prepare` and `open_renderer`."""


def prepare(weights: Mapping[str, Path], source: Source, *, prior: Any) -> PreparedTensors:
    """Implement `prepare` of the spec."""
    prepared: PreparedTensors = _function("prepare", weights[NETWORK])(weights, source, prior=prior)
    return prepared


def open_renderer(
    weights: Mapping[str, Path], source: Source, *, prior: Any, prepared: PreparedTensors | None, compiled: bool
) -> FrameRenderer:
    """Implement `facepipe.rendering.spec.OpenRenderer`."""
    opened: FrameRenderer = _function("open_renderer", weights[NETWORK])(
        weights, source, prior=prior, prepared=prepared, compiled=compiled
    )
    return opened


def _function(name: str, network: Path) -> Any:
    """Return a function of the module for a network. Raises WeightsError for networks of other kinds."""
    try:
        with safe_open(network, framework="numpy") as file:
            kind = (file.metadata() or {}).get("kind", "")
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{network} is not a readable safetensors file ({error}). Fetch or install it again."
        ) from error
    if kind not in MODULES:
        raise WeightsError(f"{network} contains a network of kind {kind!r}, expected {' or '.join(MODULES)}.")
    return resolve_name(f"{MODULES[kind]}:{name}")
