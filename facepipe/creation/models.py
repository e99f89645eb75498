"""The models that make avatars from portraits, from their weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from facepipe.avatar.framing import face_camera
from facepipe.avatar.head import Head
from facepipe.avatar.portrait import cut_camera
from facepipe.avatar.vector import RelaxedVector
from facepipe.creation import CODE_MAPPER, IMITATOR, MAPPER
from facepipe.creation.creation import DRAWN, Mapped, Models
from facepipe.creation.imitation import Imitator
from facepipe.creation.mapping import Mapper
from facepipe.creation.measuring import measure
from facepipe.creation.observation import Observation
from facepipe.creation.search import Conversion, convert
from facepipe.creation.shape import fit_shape
from facepipe.creation.stylised import DRAWING, STYLISED, StylisedPortrait
from facepipe.creation.target import PHOTOGRAPH, RENDERED, Place, Target, Trust
from facepipe.creation.target import STYLISED as TRUSTED_STYLE
from facepipe.creation.tinting import tint
from facepipe.weights.loaded import load_once

EARRINGS, NOTHING = "earrings", "none"
DRAWING_PLACE = Place((0.0, 3.5, 2.0, 0.0), (0.3, 1.5, 5.0, 0.7))
"""Place of a drawing's face. Its frame comes from landmarks, which are made for people: in 2,400 drawings of the
mapper's training they were higher and farther apart than the engine's own, sizes up to 5 % off."""


def open_models(weights: Mapping[str, Path]) -> Models:
    """Return the models of weight files by registry name (MAPPER, IMITATOR).

    With CODE_MAPPER in place of MAPPER, the mapper takes W+ codes.
    """
    mapper = load_once(Mapper, weights[CODE_MAPPER if CODE_MAPPER in weights else MAPPER])
    return Models(mapper, measured, load_once(Imitator, weights[IMITATOR]), converted)


def measured(observation: Observation, mapped: Mapped, head: Head) -> RelaxedVector:
    """Return a mapped vector with the shape and the colours that the portrait shows.

    What a W+ code says stays. A drawing by the engine keeps its mapped shape: the search fits it to the picture.
    Avatars of photographs have no ear rings: the mapper has never been told of them in a photograph.
    """
    relaxed = mapped.relaxed
    if mapped.parts is None:
        return relaxed
    if mapped.drawn <= DRAWN:
        vector = relaxed.strict().changed(choices={EARRINGS: NOTHING})
        vector = vector.changed(sliders=fit_shape(observation.neutral, vector, head))
        relaxed = RelaxedVector(vector.numbers(), {**relaxed.choices, EARRINGS: vector.relaxed().choices[EARRINGS]})
    vector = relaxed.strict()
    coloured = vector.changed(colours=tint(vector, measure(observation), head))
    return RelaxedVector(coloured.numbers(), relaxed.choices)


def converted(target: StylisedPortrait, relaxed: RelaxedVector, head: Head) -> Conversion:
    """Search the strict vector of a stylised portrait."""
    view = cut_camera if target.kind == DRAWING else face_camera
    wanted = Target(target.picture, trust_of(target.kind), target.matte, target.inside, target.parts, view)
    return convert(wanted, relaxed, head)


def trust_of(kind: str) -> Trust:
    """Return how far the terms of the score are to be trusted for a kind of portrait."""
    if kind == DRAWING:
        return Trust(**{**RENDERED.__dict__, "place": DRAWING_PLACE})
    return TRUSTED_STYLE if kind == STYLISED else PHOTOGRAPH
