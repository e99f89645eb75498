"""Retargeting and editing in the space `imf_tokens`.

The arrays of `linear478` move as in that space. Tokens move by the differences of the driver's tokens; whatever else
the arrays say (another size, a part of the motion only, a slider, motion without pixels) is an edit of the token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import numpy as np

from facepipe.errors import InputError, UsageError
from facepipe.face.model import FaceModel
from facepipe.spaces.coefficients import Coefficients, Floats
from facepipe.spaces.imf_tokens.coefficients import TokenCoefficients, motion_rows, with_tokens
from facepipe.spaces.linear478 import motion as linear
from facepipe.spaces.retargeting import Retargeting, reference_frames


def retarget(
    source: Coefficients, driving: Coefficients, how: Retargeting, model: FaceModel, *, no_face: str = "hold"
) -> Coefficients:
    """Implement `MotionSpace.retarget`.

    Relative motion adds the change of the driver's token since its reference frame, times the strength, to the source's
    token; absolute motion takes the driver's token, or with another strength a point on the line from the source's.
    A driver without tokens, or of which only a part is used, gives edits of the source's token. If the network cannot
    edit tokens, frames move as their tokens say, whatever `how.scale` is, except "source".
    """
    own = cast("TokenCoefficients", source.rows(0, 1))
    made = linear.retarget(own, driving, how, model, no_face="hold")
    if isinstance(driving, TokenCoefficients) and how.only == "all":
        tokens, shown = _moved(own, driving, how, model)
        if own.editable or how.scale == "source":
            found = _edited(made, tokens, motion_rows(made) - shown, own)
        else:
            found = _edited(made.with_motion(*np.split(shown, (64, 67), axis=1)), tokens, np.zeros_like(shown), own)
    else:
        found = from_coefficients(made, own, model)
    if no_face == "source":
        return _with_source(found, own)
    return found.without(~driving.valid) if no_face == "cut" else found


def _moved(
    source: TokenCoefficients, driving: TokenCoefficients, how: Retargeting, model: FaceModel
) -> tuple[Floats, Floats]:
    """Return the source's tokens moved as the driver's, (T, 32), and the motion that they contain, (T, 70)."""
    if driving.network != source.network:
        raise InputError(
            f"the driver's tokens are of the network {driving.network[:12]}, but the source's are of "
            f"{source.network[:12]}; make the driver's motion file again with this network, or give the video itself"
        )
    if how.motion == "absolute":
        tokens, shown = source.tokens, source.shown
    else:
        at = reference_frames(source, driving, how.reference, linear.opening_distance(model)).expression
        tokens, shown = driving.tokens[at], driving.shown[at]
    return (
        source.tokens + how.strength * (driving.tokens - tokens),
        source.shown + how.strength * (driving.shown - shown),
    )


def _with_source(made: TokenCoefficients, source: TokenCoefficients) -> TokenCoefficients:
    """Return motion that shows the source's own state in frames without a face."""
    seen = made.valid[:, None]
    return replace(
        made, **{name: np.where(seen, getattr(made, name), getattr(source, name)) for name in made.space.motion}
    )


def contain(made: Coefficients, source: Coefficients, how: Retargeting, model: FaceModel) -> tuple[Coefficients, float]:
    """Implement `MotionSpace.contain`: what is taken back of the head's way is an edit, if the network can edit."""
    own = cast("TokenCoefficients", made)
    if not own.editable:
        return made, 0.0
    kept, taken_back = linear.contain(made, source, how, model)
    return _followed(kept, own), taken_back


def edit(coefficients: Coefficients, values: Mapping[str, Floats], model: FaceModel) -> Coefficients:
    """Implement `MotionSpace.edit`."""
    return _followed(linear.edit(coefficients, values, model), cast("TokenCoefficients", coefficients))


def from_coefficients(made: Coefficients, source: Coefficients, model: FaceModel) -> TokenCoefficients:
    """Return coefficients with the source's token (of its first frame), edited by the change of their motion."""
    del model
    own = cast("TokenCoefficients", source)
    return _edited(made, np.repeat(own.tokens[:1], len(made), axis=0), motion_rows(made) - own.shown[:1], own)


def _followed(made: Coefficients, before: TokenCoefficients) -> TokenCoefficients:
    """Return changed coefficients with the tokens of before, and the change among their edits."""
    return _edited(made, before.tokens, before.edits + motion_rows(made) - motion_rows(before), before)


def _edited(made: Coefficients, tokens: Floats, edits: Floats, source: TokenCoefficients) -> TokenCoefficients:
    """Return coefficients with tokens and edits for the network of the source. Raises UsageError if it cannot edit."""
    if not source.editable and edits.any():
        raise UsageError(
            f"the network {source.network[:12]} has no map from coefficients to tokens, which sliders, sound, motion "
            "files of other spaces, --only and --scale source need; add one with `facepipe train psi`, or drive by a "
            "video or picture without these options"
        )
    return with_tokens(made, tokens, source.network, edits, editable=source.editable)
