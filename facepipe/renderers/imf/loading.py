"""Networks of an implicit motion function in their files, which state the kind of network and its sizes."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch

from facepipe.checkpoint import load_network
from facepipe.device import compute_device, compute_dtype
from facepipe.engine.digest import digest_stream
from facepipe.errors import WeightsError
from facepipe.renderers.imf.psi import PREFIX
from facepipe.spaces.imf_tokens.coefficients import TOKEN_SIZE
from facepipe.weights.kind import kind_of

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.renderers.imf.network import ImfNetwork


class Kind(NamedTuple):
    """A kind of network."""

    network: str
    """The class, as "module:attribute"."""
    config: str
    """The class of its config."""
    mixed: bool
    """Whether frames are rendered in mixed precision where that is faster."""


KINDS = {
    "imf": Kind("facepipe.renderers.imf.net:Imf", "facepipe.renderers.imf.config:ImfConfig", mixed=False),
    "imf-compact": Kind(
        "facepipe.renderers.imf.compact.net:ImfCompact",
        "facepipe.renderers.imf.compact.config:ImfCompactConfig",
        mixed=True,
    ),
}
"""Kinds of networks by the name that their files state."""


class FrameNetwork(NamedTuple):
    """A network that renders frames."""

    net: ImfNetwork
    dtype: torch.dtype
    """Precision of its large products."""


def load_imf(path: Path) -> ImfNetwork:
    """Load a network onto the CPU, in float32.

    Raises WeightsError for other files, and for networks with tokens of another size than the motion space's.
    """
    kind = kind_of(path)
    if kind not in KINDS:
        raise WeightsError(f"{path} contains a network of kind {kind!r}, expected {' or '.join(KINDS)}.")
    network, config = (resolve_name(name) for name in KINDS[kind][:2])
    net: Any = load_network(path, kind, network, config, precision="fp32", without=PREFIX)
    if net.token_size != TOKEN_SIZE:
        raise WeightsError(
            f"{path} has tokens of {net.token_size} numbers, but those of the motion space imf_tokens have "
            f"{TOKEN_SIZE}; give a network with tokens of {TOKEN_SIZE} numbers."
        )
    return cast("ImfNetwork", net)


def load_for_frames(path: Path) -> FrameNetwork:
    """Load a network onto the compute device."""
    net: Any = load_imf(path)
    device, mixed = compute_device(), KINDS[kind_of(path)].mixed
    return FrameNetwork(net.to(device), compute_dtype("auto" if mixed else "fp32", device))


def identity_of(path: Path) -> str:
    """Return the sha256 of a network's file, by which its tokens are known."""
    with path.open("rb") as file:
        return digest_stream(file)
