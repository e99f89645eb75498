"""Networks of an implicit motion function in their files, which state the kind of network and its sizes."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, cast

from facepipe.checkpoint import load_network
from facepipe.device import compute_device
from facepipe.engine.digest import digest_stream
from facepipe.errors import WeightsError
from facepipe.renderers.imf.psi import PREFIX
from facepipe.spaces.imf_tokens.coefficients import TOKEN_SIZE
from facepipe.weights.kind import kind_of

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.device import Precision
    from facepipe.renderers.imf.network import ImfNetwork

NETWORKS = {
    "imf": ("facepipe.renderers.imf.net:Imf", "facepipe.renderers.imf.config:ImfConfig"),
    "imf-compact": (
        "facepipe.renderers.imf.compact.net:ImfCompact",
        "facepipe.renderers.imf.compact.config:ImfCompactConfig",
    ),
}
"""By kind of network: its class and the class of its config."""


def load_imf(path: Path, precision: Precision = "fp32") -> ImfNetwork:
    """Load the network onto the CPU. Raises WeightsError for other files, and for networks with tokens of other sizes."""
    kind = kind_of(path)
    if kind not in NETWORKS:
        raise WeightsError(f"{path} contains a network of kind {kind!r}, expected {' or '.join(NETWORKS)}.")
    network, config = (resolve_name(name) for name in NETWORKS[kind])
    net: Any = load_network(path, kind, network, config, precision=precision, without=PREFIX)
    if net.token_size != TOKEN_SIZE:
        raise WeightsError(
            f"{path} has tokens of {net.token_size} numbers, but those of the motion space imf_tokens have {TOKEN_SIZE}; "
            f"train a network with a token_size of {TOKEN_SIZE}."
        )
    return cast("ImfNetwork", net)


def load_for_frames(path: Path) -> ImfNetwork:
    """Load the network that renders onto the compute device."""
    net: Any = load_imf(path)
    return cast("ImfNetwork", net.to(compute_device()))


def identity_of(path: Path) -> str:
    """Return the sha256 of a network's file, by which its tokens are known."""
    with path.open("rb") as file:
        return digest_stream(file)
