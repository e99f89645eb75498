"""Groups of parts: which parts an avatar has, and what of its vector each of them depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.clothes import shirt
from facepipe.avatar.eyeballs import eyeball
from facepipe.avatar.head import Head
from facepipe.avatar.lashes import lashes
from facepipe.avatar.mesh import PARTS, Floats, Material, Part
from facepipe.avatar.painting import skin_colours
from facepipe.avatar.shaped_head import ShapedHead, morphs_of
from facepipe.avatar.shaping import shaper_of
from facepipe.avatar.vector import AvatarVector

COLOURS = {"teeth-upper": (0.96, 0.94, 0.9), "teeth-lower": (0.93, 0.91, 0.87), "tongue": (0.8, 0.42, 0.43)}
MOUTH_SCALE: Floats = np.array([0.82, 0.94, 0.94], np.float32)
MOUTH_BACK: Floats = np.array([0.0, 0.0, -0.05], np.float32)
"""Scale of teeth and tongue about their middle, and their displacement in decimetres: sliders narrow jaw and cheeks
more than what lies inside."""


@dataclass(frozen=True, eq=False)
class Body:
    """A head in the shape of a vector, before parts are made of it."""

    head: Head
    shaped: ShapedHead
    places: Floats
    """(N, 3), vertices of all parts of the head."""


@dataclass(frozen=True)
class Group:
    """Parts that are made together. They depend on the body, and on these values of the vector alone."""

    build: Callable[[Body, AvatarVector], tuple[Part, ...]]
    sliders: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


def _skin(body: Body, vector: AvatarVector) -> tuple[Part, ...]:
    shaped, template = body.shaped, body.shaped.template
    colours = skin_colours(template, vector)
    morphs = morphs_of(shaped.units)
    coordinates = template.texture_coordinates
    return (Part("skin", shaped.vertices, template.triangles, colours, coordinates, Material(roughness=0.6), morphs),)


def _eyes(body: Body, vector: AvatarVector) -> tuple[Part, ...]:
    shaped, iris = body.shaped, vector.colour("eyes")
    return tuple(eyeball(name, shaped.point(name), shaped.eye_radius, iris) for name in ("eye-left", "eye-right"))


def _mouth(body: Body, _vector: AvatarVector) -> tuple[Part, ...]:
    head, parts = body.head, []
    units = head.units[: len(body.shaped.units)]
    for name, colour in COLOURS.items():
        vertices = _behind_lips(body.places[head.spans[name]])
        colours = np.tile(np.array(colour, np.float32), (len(vertices), 1))
        morphs = morphs_of(units[:, head.spans[name]])
        parts.append(
            Part(name, vertices, head.triangles[name], colours, material=Material(roughness=0.4), morphs=morphs)
        )
    return tuple(parts)


def _behind_lips(vertices: Floats) -> Floats:
    """Return the vertices (N, 3) of a part inside the mouth, drawn back from lips and cheeks."""
    middle = vertices.mean(axis=0) * np.array([0, 1, 1], np.float32)
    moved: Floats = ((vertices - middle) * MOUTH_SCALE + middle + MOUTH_BACK).astype(np.float32)
    return moved


def _lashes(body: Body, vector: AvatarVector) -> tuple[Part, ...]:
    lids = shaper_of(body.head).lids
    return (lashes(body.shaped, lids, vector.sliders["lashes"], 0.3 * vector.colour("hair")),)


def _clothes(body: Body, vector: AvatarVector) -> tuple[Part, ...]:
    return (shirt(body.shaped, vector),)


def _asset(type_: str, body: Body, vector: AvatarVector) -> tuple[Part, ...]:
    return ASSETS[type_][vector.choices[type_]].build(body.shaped, vector)


GROUPS: Mapping[str, Group] = {
    "skin": Group(_skin, ("blush",), ("skin", "lips")),
    "eyes": Group(_eyes, (), ("eyes",)),
    "mouth": Group(_mouth),
    "lashes": Group(_lashes, ("lashes",), ("hair",)),
    "clothes": Group(_clothes, (), ("clothes",)),
    "hair": Group(partial(_asset, "hair"), ("hair_volume", "hair_length"), ("hair",), ("hair", "hat")),
    "beard": Group(partial(_asset, "beard"), ("beard_volume",), ("hair", "skin"), ("beard",)),
    "glasses": Group(partial(_asset, "glasses"), ("glasses_size", "glasses_height"), (), ("glasses",)),
    "brows": Group(partial(_asset, "brows"), ("brow_thickness",), ("hair",), ("brows",)),
    "hat": Group(partial(_asset, "hat"), (), ("clothes",), ("hat",)),
    "earrings": Group(partial(_asset, "earrings"), (), (), ("earrings",)),
}
"""By name. The body depends on all sliders that no group names."""


def in_order(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Return parts in the order of PARTS."""
    return tuple(sorted(parts, key=lambda part: PARTS.index(part.name)))
