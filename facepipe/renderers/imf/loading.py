"""Networks of an implicit motion function in their files, which state the kind of network and its sizes."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple

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
    fastest: str = ""
    """A function of a network, a device and a dtype that returns its fastest form; empty if it has only one."""
    mixed: bool = False
    """Whether frames are rendered in mixed precision where that is faster."""


KINDS = {
    "imf": Kind(
        "facepipe.renderers.imf.net:Imf",
        "facepipe.renderers.imf.config:ImfConfig",
        fastest="facepipe.renderers.imf.fast:fastest",
    ),
    "imf-compact": Kind(
        "facepipe.renderers.imf.compact.net:ImfCompact",
        "facepipe.renderers.imf.compact.config:ImfCompactConfig",
        mixed=True,
    ),
}
"""Kinds of networks by the name that their files state."""


class Loaded(NamedTuple):
    """A network on the compute device."""

    net: ImfNetwork
    """In float32."""
    dtype: torch.dtype
    """The precision of large products when frames are rendered."""


def load_any(path: Path) -> Loaded:
    """Load a network of any kind in the form in which it renders.

    Raises WeightsError for other files, and for networks with tokens of another size than the motion space's.
    """
    if (name := kind_of(path)) not in KINDS:
        raise WeightsError(f"{path} contains a network of kind {name!r}, expected {' or '.join(KINDS)}.")
    kind, device = KINDS[name], compute_device()
    network, config = resolve_name(kind.network), resolve_name(kind.config)
    net: Any = load_network(path, name, network, config, precision="fp32", without=PREFIX)
    if net.token_size != TOKEN_SIZE:
        raise WeightsError(
            f"{path} has tokens of {net.token_size} numbers, but those of the motion space imf_tokens have "
            f"{TOKEN_SIZE}; give a network with tokens of {TOKEN_SIZE} numbers."
        )
    fast = resolve_name(kind.fastest)(net, device, torch.float32) if kind.fastest else net.to(device)
    return Loaded(fast, compute_dtype("auto" if kind.mixed else "fp32", device))


def identity_of(path: Path) -> str:
    """Return the sha256 of a network's file, by which its tokens are known."""
    with path.open("rb") as file:
        return digest_stream(file)
