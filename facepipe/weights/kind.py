"""The kind of network in a weight file, as its header states it."""

from __future__ import annotations

from pathlib import Path

from safetensors import safe_open


def kind_of(network: Path) -> str:
    """Return the kind of network that a file states; "" if it states none."""
    with safe_open(network, framework="numpy") as file:
        return str((file.metadata() or {}).get("kind", ""))
