"""The sheet of a created avatar: the stages of its creation, turns of the head, and expressions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facepipe.avatar.avatar import Avatar
from facepipe.avatar.colours import PALETTES
from facepipe.avatar.framing import PLAIN
from facepipe.avatar.portrait import Portraitist, portrait_camera
from facepipe.avatar.posing import head_rotation
from facepipe.avatar.units import UNITS
from facepipe.creation.creation import Creation
from facepipe.creation.observation import Floats, Pixels
from facepipe.creation.stylised import DRAWING, PHOTOGRAPH, STYLISED, before_background
from facepipe.media.board import Entry, Tile, board

YAWS_DEGREES = (-35, 0, 35)
EXPRESSIONS: Mapping[str, Mapping[str, float]] = {
    "smile": {
        **dict.fromkeys(("mouthSmileLeft", "mouthSmileRight"), 0.85),
        **dict.fromkeys(("cheekSquintLeft", "cheekSquintRight"), 0.5),
        **dict.fromkeys(("mouthUpperUpLeft", "mouthUpperUpRight"), 0.2),
        "jawOpen": 0.1,
    },
    "open mouth": {"jawOpen": 0.65},
    "eyes closed": dict.fromkeys(("eyeBlinkLeft", "eyeBlinkRight"), 1.0),
    "surprise": {
        **dict.fromkeys(("eyeWideLeft", "eyeWideRight"), 0.9),
        **dict.fromkeys(("browOuterUpLeft", "browOuterUpRight", "browInnerUp"), 0.9),
        "jawOpen": 0.35,
        "mouthFunnel": 0.4,
    },
}
"""Weights of face units by name of the expression."""
TARGETS = {PHOTOGRAPH: "stylised target", STYLISED: "your stylised picture", DRAWING: "target: the drawing itself"}
"""Captions of the target by kind of the portrait."""
TILE_PIXELS = 320


def sheet_of(creation: Creation) -> Pixels:
    """Return the sheet (H, 1600, 3)."""
    avatar, seen = creation.final, creation.observation
    artist = Portraitist(avatar, portrait_camera(avatar), TILE_PIXELS)
    pictures = creation.pictures
    stages = [
        Tile(before_background(seen.picture, seen.inside), "portrait"),
        Tile(creation.target.picture, TARGETS[creation.target.kind]),
        Tile(pictures["imitator"], "imitator"),
        Tile(pictures["argmax"], "most probable options"),
        Tile(pictures["search"], "after the search"),
    ]
    poses = [
        Tile(artist.draw(rotation=head_rotation(yaw, 0, 0), background=PLAIN), f"yaw {yaw}°") for yaw in YAWS_DEGREES
    ]
    faces = [Tile(artist.draw(weights_of(units), background=PLAIN), name) for name, units in EXPRESSIONS.items()]
    return board([stages, [*poses, *faces]], [_colours(avatar), _choices(avatar)])


def weights_of(units: Mapping[str, float]) -> Floats:
    """Return weights (52,) by name as an array."""
    return np.array([units.get(name, 0.0) for name in UNITS], np.float32)


def _colours(avatar: Avatar) -> list[Entry]:
    entries = []
    for name in PALETTES:
        red, green, blue = (round(255 * float(level)) for level in avatar.vector.colour(name))
        entries.append(Entry(name, colour=(red, green, blue)))
    return entries


def _choices(avatar: Avatar) -> list[Entry]:
    return [Entry(type_, name) for type_, name in avatar.vector.choices.items()]
