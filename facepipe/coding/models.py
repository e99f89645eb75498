"""The kinds of tokens: the weights that each needs, and the digest by which a stream names them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facepipe.errors import InputError, WeightsError

if TYPE_CHECKING:
    from facepipe.codec import Header, TokenTable
    from facepipe.coding.portrait import PortraitReader
    from facepipe.engine.stage import WeightFile

FACES = ("detector", "landmarker", "face-model")
"""Registry names of the weights that find a face."""


@dataclass(frozen=True)
class TokenKind:
    """A kind of tokens."""

    name: str
    about: str
    """One line for help texts."""
    renderer: str
    """Name of the renderer that draws the tokens."""
    network: str
    """Registry name of its network."""
    table: str
    """Registry name of the table of the tokens."""
    seen_by: tuple[str, ...] = ()
    """Registry names of further weights that decide how frames are drawn: those that see the face in a still."""

    @property
    def weights(self) -> tuple[str, ...]:
        """Registry names of all weights that encoder and decoder need."""
        return (*FACES, self.network, self.table)


KINDS: Mapping[str, TokenKind] = {
    kind.name: kind
    for kind in (
        TokenKind(
            "coefficients",
            "pose and expression, drawn by the compact renderer",
            "compact",
            "pirender-compact",
            "codec-coefficients",
            seen_by=FACES,
        ),
        TokenKind("imf", "32 numbers of an implicit motion function", "imf", "imf-compact", "codec-imf"),
    )
}
"""Kinds of tokens by name. A further kind needs an entry here, and a `PortraitReader` in `open_kind`."""
STAGE_WEIGHTS = (*FACES, *(f"{name}?" for kind in KINDS.values() for name in (kind.network, kind.table)))
"""Weights of the stages that encode and decode, which use those of one kind."""


def is_available(kind: TokenKind) -> bool:
    """Return whether all weights of a kind are registered."""
    return not _unregistered(kind)


def check_available(kind: TokenKind) -> None:
    """Raise WeightsError if weights of a kind are not registered."""
    if missing := _unregistered(kind):
        raise WeightsError(
            f"tokens of the kind {kind.name} need the weights {' and '.join(missing)}, which are not registered; add "
            "each by `facepipe weights add FILE --name NAME`"
        )


def _unregistered(kind: TokenKind) -> list[str]:
    # Imported here, so that `facepipe --help`, which lists the kinds, waits for nothing.
    from facepipe.weights import registered

    known = registered()
    return [name for name in kind.weights if name not in known]


def open_kind(kind: TokenKind, weights: Mapping[str, Path]) -> tuple[PortraitReader, TokenTable]:
    """Open the networks and the table of a kind. `weights` are files by the names in `kind.weights`."""
    from facepipe.coding.imf_portrait import ImfReader
    from facepipe.coding.portrait import CoefficientReader
    from facepipe.rendering.spec import NETWORK

    files = {**weights, NETWORK: weights[kind.network]}
    portraits = ImfReader(files) if kind.name == "imf" else CoefficientReader(files)
    return portraits, open_table(kind, weights)


def open_table(kind: TokenKind, weights: Mapping[str, Path]) -> TokenTable:
    """Open the table of a kind. Raises WeightsError for one of other tokens."""
    from facepipe.codec import load_table
    from facepipe.weights.loaded import load_once

    table = load_once(load_table, weights[kind.table])
    if table.kind != kind.name:
        raise WeightsError(f"{weights[kind.table]} is a table of {table.kind} tokens, expected {kind.name}")
    return table


def digest_of(kind: TokenKind, weights: Mapping[str, WeightFile]) -> bytes:
    """Return the 16 bytes that identify the weights with which frames are drawn."""
    known = {name: weights[name].sha256 for name in (*kind.seen_by, kind.network)}
    return hashlib.sha256(json.dumps([kind.name, known], sort_keys=True).encode()).digest()[:16]


def kind_of(header: Header) -> TokenKind:
    """Return the kind of a stream's tokens. Raises InputError for one that this facepipe cannot draw."""
    if header.tokens not in KINDS:
        raise InputError(
            f"the .fpv stream has tokens of the kind {header.tokens}, expected {' or '.join(KINDS)}; decode it with "
            "the facepipe that wrote it"
        )
    return KINDS[header.tokens]


def check_header(header: Header, kind: TokenKind, weights: Mapping[str, WeightFile]) -> None:
    """Raise InputError if a stream needs other weights than those given, or has pictures that are not square."""
    table = open_table(kind, {name: weight.path for name, weight in weights.items()})
    if header.model_digest != digest_of(kind, weights) or header.table_digest != table.digest:
        raise InputError(
            "the .fpv stream was written with other networks than those of this facepipe, which would draw another "
            "face; decode it with the facepipe that wrote it, or encode the clip again"
        )
    if header.width != header.height or header.still_codec != "av1":
        raise InputError(
            f"the .fpv stream has frames of {header.width}x{header.height} pixels and stills as {header.still_codec}; "
            "expected square frames and stills as av1, which `facepipe encode` writes"
        )
