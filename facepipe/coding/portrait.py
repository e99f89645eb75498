"""A portrait: a decoded key still, seen as the source of the frames that refer to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from facepipe.codec.coefficients import tokens_of, with_tokens
from facepipe.coding.faces import FaceReader
from facepipe.coding.viewing import View
from facepipe.face.cropping import whole_picture
from facepipe.face.fitting import Fit, fit
from facepipe.renderers import RENDERERS, open_renderer
from facepipe.rendering.source import source_of_fit
from facepipe.spaces.coefficients import Coefficients, from_fit

if TYPE_CHECKING:
    from facepipe.rendering.spec import FrameRenderer

Picture = NDArray[np.uint8]
Floats = NDArray[np.floating]
RENDERER = "compact"
"""The renderer of tokens of coefficients."""


class Portrait(Protocol):
    """A still with its face. Tokens are (T, D), their meaning depends on the kind."""

    @property
    def own(self) -> Floats:
        """The (D,) tokens of the still."""

    def estimate(self, view: View) -> Floats:
        """Return the (T, D) tokens of frames; those of frames without a face pass between their neighbours."""

    def draw(self, tokens: Floats) -> Iterator[Picture]:
        """Yield the frames (S, S, 3) of (T, D) tokens."""

    def seen(self, drawn: list[Picture], near: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the (T, D) tokens that drawn frames show, and (T,) whether that is known.

        `near` are the (T, 478, 3) landmarks that the frames should have.
        """


class PortraitReader(Protocol):
    """Opens portraits for one kind of tokens."""

    @property
    def faces(self) -> FaceReader:
        """What finds faces in frames."""

    def open(self, still: Picture) -> Portrait | None:
        """Return the portrait in a decoded (S, S, 3) still; None if it shows no face that can be drawn."""


@dataclass(frozen=True)
class CoefficientPortrait:
    """A still whose tokens are coefficients of the space `linear478`, drawn by the compact renderer."""

    faces: FaceReader
    renderer: FrameRenderer
    base: Coefficients
    """One row: the still's own."""

    @property
    def own(self) -> Floats:
        """The (70,) tokens of the still."""
        return np.asarray(tokens_of(self.base)[0])

    @property
    def _identity(self) -> NDArray[np.float64]:
        return np.asarray(self.base.identity, np.float64)

    @property
    def _side(self) -> int:
        return self.base.picture_size[0]

    def estimate(self, view: View) -> Floats:
        """Implement `Portrait.estimate`: a fit with the identity of the still.

        It is not smoothed: smoothing lags behind fast turns of the head, which costs more than the jitter it removes.
        """
        if not view.valid.any():
            return np.repeat(self.own[None], len(view), axis=0)
        fitted = fit(self.faces.model, view.points, view.valid, identity=self._identity)
        fps = Fraction(view.fps).limit_denominator(1001)
        raw = _coefficients(fitted, view.valid, self._side, fps, shot=view.shot)
        return tokens_of(raw)

    def draw(self, tokens: Floats) -> Iterator[Picture]:
        """Implement `Portrait.draw`."""
        return self.renderer(with_tokens(self.base.repeated(len(tokens)), tokens), 0, len(tokens))

    def seen(self, drawn: list[Picture], near: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """Implement `Portrait.seen`."""
        points, found = self.faces.follow(drawn, near)
        if not found.any():
            return np.repeat(self.own[None], len(drawn), axis=0), found
        fitted = fit(self.faces.model, points, found, identity=self._identity)
        return tokens_of(_coefficients(fitted, found, self._side, Fraction(25))), found


class CoefficientReader:
    """Opens portraits for tokens of coefficients."""

    def __init__(self, weights: Mapping[str, Path]) -> None:
        """Open the networks. `weights` are those of `weight_names`, with the renderer's network under `NETWORK`."""
        self.faces = FaceReader(weights)
        self.weights = {name: weights[name] for name in RENDERERS[RENDERER].files}

    def open(self, still: Picture) -> Portrait | None:
        """Implement `PortraitReader.open`."""
        points = self.faces.points(still)
        if points is None:
            return None
        fitted = fit(self.faces.model, points[None], np.ones(1, bool))
        source = source_of_fit(still, points, fitted)
        return CoefficientPortrait(self.faces, open_renderer(RENDERER, self.weights, source), source.coefficients)


def _coefficients(
    fitted: Fit, valid: NDArray[np.bool_], side: int, fps: Fraction, shot: NDArray[np.int32] | None = None
) -> Coefficients:
    return from_fit(fitted, valid, fps=fps, crop=whole_picture(side), picture_size=(side, side), shot=shot)
