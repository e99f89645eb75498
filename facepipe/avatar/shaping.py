"""Shaping: from the sliders of a vector to the vertices of the head."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from facepipe.avatar.closing import Lids, Lips
from facepipe.avatar.clothes import Tuck
from facepipe.avatar.head import AGES, ANCESTRIES, GENDERS, WEIGHTS, Head
from facepipe.avatar.mesh import Floats
from facepipe.avatar.normals import vertex_normals
from facepipe.avatar.shaped_head import ShapedHead
from facepipe.avatar.sliders import SLIDERS, Amounts
from facepipe.avatar.style import Smoothing, style_field
from facepipe.avatar.vector import AvatarVector

SIDES = ("left", "right")


class Shaper:
    """A compiled head with its sliders summed from their targets."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self._fields = [
            (slider, (_sum(head, slider.less), _sum(head, slider.more)))
            for slider in SLIDERS
            if slider.less or slider.more
        ]
        self._style, self._smoothing = style_field(head), Smoothing(head)
        self._lips, self._tuck = Lips(head.template), Tuck(head.template)
        units = head.units[:, head.spans["skin"]]
        self.lids = {side: Lids(head.template, units, side, _eye(head, head.vertices, side)[0]) for side in SIDES}
        self._radius = _eye(head, head.vertices, "left")[1]

    def vertices(self, vector: AvatarVector) -> Floats:
        """Return the vertices (N, 3) of the head in the shape of a vector."""
        sliders = vector.sliders
        places = self.head.vertices.copy()
        # One multiplication and one addition a number, so that the bits are the same on every processor.
        for slider, (less, more) in self._fields:
            if share := slider.share(sliders[slider.name]):
                places += np.float32(abs(share)) * (less if share < 0 else more)
        self._add_person(places, vector)
        style = np.float32(sliders["style"])
        places += style * self._style
        skin = self.head.spans["skin"]
        places[skin] += style * self._smoothing.displacements(places[skin])
        self._lips.close(places[skin])
        self._tuck.apply(places[skin])
        return places

    def _add_person(self, places: Floats, vector: AvatarVector) -> None:
        shares = person_shares(vector)
        weight = 2 * vector.sliders["weight"] - 1
        body = shares.sum(axis=2) * abs(weight)
        for gender in range(len(GENDERS)):
            for age in range(len(AGES)):
                for ancestry in range(len(ANCESTRIES)):
                    if share := np.float32(shares[gender, age, ancestry]):
                        places += share * self.head.people[gender, age, ancestry]
                if share := np.float32(body[gender, age]):
                    places += (
                        share
                        * self.head.weights[gender, age, WEIGHTS.index("maxweight" if weight > 0 else "minweight")]
                    )

    def shape(self, vector: AvatarVector) -> tuple[ShapedHead, Floats]:
        """Return the skin in the shape of a vector, and the vertices (N, 3) of all parts."""
        places = self.vertices(vector)
        head = self.head
        skin = places[head.spans["skin"]]
        units = head.units[:, head.spans["skin"]].copy()
        eyes = {side: _eye(head, places, side) for side in SIDES}
        for side, (_, radius) in eyes.items():
            self.lids[side].close(units, skin, radius / self._radius)
        shaped = ShapedHead(
            template=head.template,
            vertices=skin,
            normals=vertex_normals(skin, head.template.triangles),
            units=units,
            points={
                **{f"eye-{side}": centre for side, (centre, _) in eyes.items()},
                "neck": places[head.joint("joint-neck")],
            },
            eye_radius=eyes["left"][1],
        )
        return shaped, places


def _eye(head: Head, places: Floats, side: str) -> tuple[Floats, float]:
    """Return the centre (3,) and the radius of an eyeball of the head whose vertices are `places` (N, 3)."""
    eye = places[head.spans[f"eye-{side}"]]
    centre: Floats = eye.mean(axis=0)
    return centre, float(np.linalg.norm(eye - centre, axis=1).mean())


@lru_cache(maxsize=2)
def shaper_of(head: Head) -> Shaper:
    """Return the shaper of a head, kept for the process."""
    return Shaper(head)


def person_shares(vector: AvatarVector) -> Floats:
    """Return the shares (2, 3, 3) of genders, ages and ancestries in a vector; they sum to 1."""
    sliders = vector.sliders
    gender = np.array([1 - sliders["gender"], sliders["gender"]])
    young = 1 - abs(2 * sliders["age"] - 1)
    age = np.array([1 - young, young, 0] if sliders["age"] < 0.5 else [0, young, 1 - young])
    african, asian = sliders["african"], sliders["asian"]
    ancestry = np.array([african, (1 - african) * asian, (1 - african) * (1 - asian)])
    shares: Floats = np.einsum("g,a,c->gac", gender, age, ancestry)
    return shares


def _sum(head: Head, amounts: Amounts) -> Floats:
    """Return the displacements (N, 3) of a slider's targets at their amounts. The neck's move what is below."""
    field = np.zeros(head.vertices.shape, np.float32)
    for name, amount in amounts.items():
        for each in [name.replace("*", side) for side in "lr"] if "*" in name else [name]:
            morph = head.targets[each]
            change = np.zeros_like(field)
            change[morph.vertices] = np.float32(amount) * morph.offsets
            field += change - change[head.joint("joint-head")] if each.startswith("neck/") else change
    return field
