"""Coefficients in the space `imf_tokens`."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from facepipe.spaces.coefficients import Coefficients, Floats
from facepipe.spaces.imf_tokens import SPACE

TOKEN_SIZE = 32
"""Numbers per token."""
EDIT_SIZE = 70
"""Numbers per edit: 64 of the expression, 3 of the angles, 3 of the translation."""


@dataclass(frozen=True, kw_only=True)
class TokenCoefficients(Coefficients):
    """Coefficients of T frames in the space `imf_tokens`: those of `linear478`, and what the network renders."""

    tokens: Floats
    """(T, 32)"""
    edits: Floats
    """(T, 70) change of expression, angles and translation that the token does not contain; the network's map from
    coefficients adds it. Zero in frames that were estimated from pixels."""
    network: str
    """sha256 of the network's file. Tokens of different networks are not comparable."""
    editable: bool = True
    """Whether the network has a map from coefficients."""
    space_name: str = SPACE.name

    @property
    def shown(self) -> Floats:
        """(T, 70) the motion that the tokens alone contain: that of the arrays without the edits."""
        return motion_rows(self) - self.edits


def motion_rows(coefficients: Coefficients) -> Floats:
    """Return (T, 70): expression, angles, translation."""
    return np.concatenate([coefficients.expression, coefficients.angles, coefficients.translation], axis=1)


def with_tokens(
    coefficients: Coefficients, tokens: Floats, network: str, edits: Floats | None = None, *, editable: bool = True
) -> TokenCoefficients:
    """Return coefficients in a linear space with (T, 32) tokens and (T, 70) edits; without edits they are zero."""
    own = {one.name: getattr(coefficients, one.name) for one in fields(Coefficients) if one.name != "space_name"}
    edits = np.zeros((len(coefficients), EDIT_SIZE)) if edits is None else edits
    return TokenCoefficients(
        **own,
        tokens=np.asarray(tokens, float),
        edits=np.asarray(edits, float),
        network=network,
        editable=editable,
    )
