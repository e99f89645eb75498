"""Tinting: the places in the palettes with which the drawn avatar has the colours that were measured in a portrait.

The light of the engine makes colours of pictures differ from those of palettes. Each round draws the avatar, measures
its colours in the areas that are measured in portraits, and takes the place with the nearest colour in the same light.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from facepipe.avatar.avatar import Avatar, build
from facepipe.avatar.colours import PALETTES, Colour
from facepipe.avatar.framing import PLAIN, face_camera
from facepipe.avatar.head import Head
from facepipe.avatar.light import linear
from facepipe.avatar.mesh import PARTS
from facepipe.avatar.rasteriser import render
from facepipe.avatar.vector import AvatarVector
from facepipe.creation import areas
from facepipe.creation.areas import Doubles, Mask
from facepipe.creation.measuring import Measure, lab_of, lab_of_light, light_of, robust
from facepipe.creation.shape import neutral_points

SIDE = 256
ROUNDS = 3
STEPS = 48
"""Places tried along each axis of a palette."""
LIP_SHARE = 0.4
"""Share of the palette's colour in the paint of the lips."""
DARKEST = 2e-3
"""Least linear light of a palette's colour that ratios are taken of."""
USUAL_SKIN = np.array([75.0, 14.0, 17.0])
"""Lab of skin in pictures under white light."""
IRIS_CAST = np.array([0.0, 0.5, 0.3])
"""Share of the skin's difference from it by which irises are corrected."""
IRIS_GAIN, IRIS_LIFT = np.array([1.0, 1.8, 1.8]), np.array([8.0, 0.0, 0.0])
"""By what lids, the pupil and the blur of small pictures have made an iris greyer and darker than a palette's."""
DARK_IRIS, DARK_CAST = (20.0, 45.0), np.array([0.0, 2.0, 8.0])
"""Lightness of a dark iris and of one that is not dark, and the correction of the former: reflections look blue."""


def drawn_colours(avatar: Avatar, head: Head) -> Mapping[str, Measure | None]:
    """Return the colours of skin, hair, brows, lips and clothes of an avatar in the frame of its face."""
    camera = face_camera(avatar)
    picture = render(avatar.parts, camera, (SIDE, SIDE), PLAIN)
    view = camera.view(neutral_points(avatar.vector, head).astype(np.float32))
    focal = camera.focal_pixels(SIDE, SIDE) / -view[:, 2:]
    points = SIDE / 2 + focal * view[:, :2] * (1, -1)
    lab = lab_of(picture.colour)
    number = {name: PARTS.index(name) + 1 for name in PARTS}
    skin = picture.parts == number["skin"]
    areas_of: dict[str, Mask] = {
        "skin": skin & (areas.cheeks(points, SIDE) | areas.forehead(points, SIDE)),
        "lips": skin & areas.lips(points, SIDE),
        "hair": (picture.parts == number["hair"]) & areas.upper(points, SIDE),
        **{name: picture.parts == number[name] for name in ("brows", "clothes")},
    }
    return {name: robust(lab[area], name) for name, area in areas_of.items()}


def tint(vector: AvatarVector, measured: Mapping[str, Measure | None], head: Head) -> Mapping[str, Colour]:
    """Return the places in palettes, by name, with which an avatar shows measured colours.

    Palettes whose colour was not measured, or that the avatar does not show, are left out. The result is the same on
    every run. On a head without hair the brows give the hair's colour.
    """
    wanted = {name: one for name, one in measured.items() if one is not None}
    found: dict[str, Colour] = {}
    if "eyes" in wanted and "skin" in wanted:
        found["eyes"] = _nearest(lab_of(_table("eyes")), _iris(wanted["eyes"].lab, wanted["skin"].lab))
    best: dict[str, float] = {}
    trial = vector
    for _ in range(ROUNDS + 1):
        drawn = drawn_colours(build(trial, head), head)
        changes: dict[str, Colour] = {}
        for name in ("skin", "hair", "lips", "clothes"):
            part = "brows" if name == "hair" and vector.choices["hair"] == "none" else name
            seen, goal = drawn.get(part), wanted.get(part)
            if seen is None or goal is None:
                continue
            error = float(np.linalg.norm(seen.lab - goal.lab))
            if error < best.get(name, np.inf):
                best[name], found[name] = error, trial.colours[name]
            changes[name] = _nearest(_predicted(name, trial, seen.lab), goal.lab)
        trial = trial.changed(colours=changes)
    return found


def _iris(seen: Doubles, skin: Doubles) -> Doubles:
    """Return the Lab colour (3,) of an iris from its colour in a portrait with skin of a colour (3,)."""
    dark = np.clip((DARK_IRIS[1] - seen[0]) / (DARK_IRIS[1] - DARK_IRIS[0]), 0, 1)
    white: Doubles = seen - IRIS_CAST * (skin - USUAL_SKIN)
    return np.asarray(IRIS_GAIN * white + IRIS_LIFT + dark * DARK_CAST)


def _predicted(name: str, vector: AvatarVector, seen: Doubles) -> Doubles:
    """Return the Lab colours (STEPS, STEPS, 3) that the places of a palette are expected to show in the light seen."""
    table, here = _table(name), vector.colour(name).astype(np.float64)
    light, change = light_of(seen), linear(table) - linear(here)
    if name == "lips":
        # The paint of lips is mixed with the skin's colour.
        return lab_of_light(light + LIP_SHARE * change)
    return lab_of_light(light / np.maximum(linear(here), DARKEST) * linear(table))


def _nearest(expected: Doubles, goal: Doubles) -> Colour:
    """Return the place of a palette whose expected colour is nearest to a goal in Lab."""
    row, column = np.unravel_index(int(np.linalg.norm(expected - goal, axis=2).argmin()), expected.shape[:2])
    return float(row) / (STEPS - 1), float(column) / (STEPS - 1)


@lru_cache(maxsize=len(PALETTES))
def _table(name: str) -> Doubles:
    """Return the sRGB colours (STEPS, STEPS, 3) of a palette."""
    shares = np.linspace(0, 1, STEPS)
    return np.array([[PALETTES[name].colour((row, column)) for column in shares] for row in shares], np.float64)
