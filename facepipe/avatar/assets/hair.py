"""Hair styles: a shell for each, and pieces that are added to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from facepipe.avatar.assets.asset import Asset, nothing
from facepipe.avatar.assets.hair_pieces import Bun, Locks, Piece, Tail
from facepipe.avatar.assets.hair_shell import HairStyle, shell
from facepipe.avatar.assets.hat import HATS, hidden, pressed
from facepipe.avatar.assets.surface import Surface, attach, factor, grown, merge, part_of
from facepipe.avatar.mesh import Material, Part
from facepipe.avatar.shaped_head import ShapedHead
from facepipe.avatar.template import Template

if TYPE_CHECKING:
    from facepipe.avatar.vector import AvatarVector

HAIR = Material(roughness=0.5, double_sided=True)

SHORT = ((0, 0.1), (70, 0.07), (180, 0.07))
COMBED = HairStyle(heights=((0, 0.09), (90, 0.07), (180, 0.09)), top=0.1, taper=1.5, strands=0.02, locks=44)
TO_JAW = ((0, 9), (36, 9), (54, 7.0), (70, 6.4), (180, 6.3))
TO_SHOULDERS = ((0, 9), (34, 9), (52, 7.0), (66, 5.95), (180, 5.85))
FRINGE = ((0, 7.6), (40, 7.56))

STYLES: dict[str, tuple[HairStyle, tuple[Piece, ...]]] = {
    "buzz": (HairStyle(heights=((0, 0.025), (180, 0.025)), top=0.03, strands=0.002, locks=60, taper=2), ()),
    "crop": (HairStyle(heights=SHORT, top=0.15, front=0.06, taper=1.3, locks=31), ()),
    "side-part": (
        HairStyle(heights=((0, 0.18), (60, 0.1), (180, 0.08)), top=0.18, front=0.12, sweep=-30, part=36, taper=1.5),
        (),
    ),
    "quiff": (HairStyle(heights=((0, 0.22), (55, 0.06), (180, 0.05)), top=0.2, front=0.36, taper=1.5, locks=27), ()),
    "slick-back": (COMBED, ()),
    "undercut": (
        HairStyle(heights=((0, 0.2), (42, 0.16), (55, 0.02), (180, 0.02)), top=0.24, front=0.1, sweep=-25, taper=1.5),
        (),
    ),
    "flat-top": (
        HairStyle(heights=((0, 0.42), (50, 0.2), (70, 0.05), (180, 0.05)), top=0.26, strands=0.006, curls=0.012),
        (),
    ),
    "mohawk": (HairStyle(heights=((0, 0.6), (180, 0.4)), top=0.62, strip=0.2, strands=0.0, curls=0.03, taper=8), ()),
    "caesar": (HairStyle(heights=SHORT, top=0.12, hem=((0, 7.86), (44, 7.82), (56, 9)), ragged=0.05, locks=35), ()),
    "bowl": (
        HairStyle(heights=((0, 0.2), (180, 0.2)), top=0.2, hem=(*FRINGE, (60, 7.3), (180, 7.1)), ragged=0.01, locks=47),
        (),
    ),
    "pixie": (
        HairStyle(
            heights=((0, 0.16), (180, 0.1)),
            top=0.18,
            hem=((0, 7.7), (45, 7.62), (62, 7.0), (85, 6.95), (100, 9)),
            part=-28,
            ragged=0.1,
            locks=29,
            taper=1.5,
        ),
        (),
    ),
    "curly-short": (
        HairStyle(heights=((0, 0.26), (90, 0.2), (180, 0.2)), top=0.3, curls=0.05, strands=0.0, taper=4),
        (),
    ),
    "afro": (
        HairStyle(heights=((0, 0.42), (90, 0.55), (180, 0.55)), top=0.6, curls=0.022, strands=0.0, taper=8),
        (),
    ),
    "receding": (
        HairStyle(heights=SHORT, top=0.06, line=((0, 0.12), (22, 0.22), (40, 0.16), (70, 0.0)), taper=2, locks=35),
        (),
    ),
    "bob": (HairStyle(heights=((0, 0.15), (90, 0.18), (180, 0.2)), top=0.18, hem=TO_JAW, part=12, flare=-0.14), ()),
    "bob-fringe": (
        HairStyle(
            heights=((0, 0.16), (90, 0.18), (180, 0.2)),
            top=0.18,
            hem=(*FRINGE, (52, 6.75), (70, 6.35), (180, 6.3)),
            flare=-0.06,
            locks=33,
        ),
        (),
    ),
    "shag": (
        HairStyle(
            heights=((0, 0.2), (180, 0.22)),
            top=0.24,
            hem=((0, 7.65), (36, 7.5), (54, 6.7), (80, 6.3), (180, 6.0)),
            ragged=0.16,
            waves=0.03,
            flare=0.1,
            strands=0.03,
        ),
        (),
    ),
    "long-straight": (
        HairStyle(
            heights=((0, 0.13), (90, 0.16), (180, 0.18)), top=0.15, hem=TO_SHOULDERS, part=0, flare=-0.16, locks=41
        ),
        (),
    ),
    "long-wavy": (
        HairStyle(
            heights=((0, 0.18), (90, 0.22), (180, 0.22)),
            top=0.2,
            hem=TO_SHOULDERS,
            part=24,
            waves=0.05,
            flare=-0.08,
            strands=0.03,
        ),
        (),
    ),
    "long-fringe": (
        HairStyle(
            heights=((0, 0.15), (180, 0.18)),
            top=0.16,
            hem=(*FRINGE, (54, 6.9), (68, 5.95), (180, 5.85)),
            flare=-0.16,
            locks=37,
        ),
        (),
    ),
    "long-curly": (
        HairStyle(
            heights=((0, 0.24), (50, 0.2), (90, 0.28), (180, 0.34)),
            top=0.3,
            hem=TO_SHOULDERS,
            curls=0.05,
            strands=0.0,
            flare=-0.05,
        ),
        (),
    ),
    "pony-tail": (COMBED, (Tail(128, -14, 1.7, radius=0.2, out=0.2),)),
    "high-pony": (COMBED, (Tail(180, 74, 2.5, radius=0.26, out=0.5),)),
    "side-braid": (
        HairStyle(heights=((0, 0.13), (180, 0.14)), top=0.15, part=-25, taper=3),
        (Tail(118, -18, 1.5, radius=0.14, out=0.12, braid=0.35),),
    ),
    "braids": (
        HairStyle(heights=((0, 0.1), (180, 0.12)), top=0.12, part=0, taper=1.5, locks=40),
        tuple(Tail(side * 112, -12, 1.55, radius=0.12, out=0.14, braid=0.4) for side in (1, -1)),
    ),
    "pigtails": (
        HairStyle(heights=((0, 0.1), (180, 0.12)), top=0.12, part=0, taper=1.5, locks=40),
        tuple(Tail(side * 105, 22, 1.4, radius=0.17, out=0.35, waves=0.05) for side in (1, -1)),
    ),
    "bun": (COMBED, (Bun(180, 44, 0.42),)),
    "top-knot": (COMBED, (Bun(180, 78, 0.27),)),
    "space-buns": (
        HairStyle(heights=((0, 0.1), (180, 0.12)), top=0.12, part=0, taper=1.5, locks=40),
        (Bun(70, 52, 0.25), Bun(-70, 52, 0.25)),
    ),
    "dreadlocks": (
        HairStyle(heights=((0, 0.08), (180, 0.08)), top=0.1, strands=0.02, taper=1.5, locks=50),
        (Locks(ends=6.1),),
    ),
}


@lru_cache(maxsize=256)
def hair_surface(template: Template, name: str, hat: str) -> Surface:
    """Return the hair of a style on a template, pressed down below a hat."""
    style, pieces = STYLES[name]
    designs = [shell(template, style), *(piece(template) for piece in pieces)]
    if hat != "none":
        cover = HATS[hat]
        # A piece that is tied below the hat is folded into its tie, which keeps the topology.
        designs = [
            designs[0],
            *(replace(one, vertices=one.anchors) if hidden(one, cover) else one for one in designs[1:]),
        ]
        designs = [pressed(one, template, cover) for one in designs]
    return attach(template, merge(designs))


def _build(name: str, head: ShapedHead, vector: AvatarVector) -> tuple[Part, ...]:
    surface = hair_surface(head.template, name, vector.choices["hat"])
    if vector.choices["hat"] == "none":
        volume = factor(vector.sliders["hair_volume"], 0.75, 1.35)
        surface = grown(surface, volume, factor(vector.sliders["hair_length"], 0.8, 1.2))
    return (part_of("hair", head, surface, vector.colour("hair"), material=HAIR, still=True),)


def _builder(name: str) -> Callable[[ShapedHead, AvatarVector], tuple[Part, ...]]:
    return partial(_build, name)


HAIR_STYLES = (Asset("hair", "none", nothing), *(Asset("hair", name, _builder(name)) for name in STYLES))
