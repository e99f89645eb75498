"""Sliders of the avatar vector: names, neutral values, and the shape targets that each one blends in.

A slider in [0, 1] at its neutral value changes nothing; to either side its targets grow linearly to the amounts given
here, or slower towards an end that few faces bear. Left and right move together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import copysign

Amounts = Mapping[str, float]
"""Amounts of shape targets by name. "*" in a name stands for both "l" and "r"."""

STRAIGHT = 0.6
"""Share of the way from the neutral value to an end on which the amounts of all sliders grow linearly."""


@dataclass(frozen=True)
class Slider:
    """A continuous control of the head's shape or of an asset."""

    name: str
    about: str
    low: str
    """What the slider shows at 0, in a word."""
    high: str
    """What it shows at 1."""
    less: Amounts
    """Targets and their amounts at 0."""
    more: Amounts
    """Targets and their amounts at 1."""
    neutral: float = 0.5
    reach: tuple[float, float] = (1.0, 1.0)
    """Shares of the amounts at 0 and at 1, from STRAIGHT to 1."""

    def share(self, value: float) -> float:
        """Return the share of the amounts at a value in [0, 1]: negative for `less`, positive for `more`."""
        way = (value - self.neutral) / (self.neutral if value < self.neutral else 1 - self.neutral)
        reach, far = self.reach[value >= self.neutral], abs(way) - STRAIGHT
        if reach == 1 or far <= 0:
            return way
        return copysign(STRAIGHT + far * (reach - STRAIGHT) / (1 - STRAIGHT), way)


def _pair(stem: str, amount: float = 1.0, ends: tuple[str, str] = ("decr", "incr")) -> tuple[Amounts, Amounts]:
    less, more = ends
    return {f"{stem}-{less}": amount}, {f"{stem}-{more}": amount}


def _shape(
    name: str,
    about: str,
    ends: tuple[str, str],
    *pairs: tuple[Amounts, Amounts],
    reach: tuple[float, float] = (1.0, 1.0),
) -> Slider:
    less, more = ({name: amount for pair in pairs for name, amount in pair[end].items()} for end in (0, 1))
    return Slider(name, about, *ends, less, more, reach=reach)


def _free(name: str, about: str, ends: tuple[str, str], neutral: float = 0.5) -> Slider:
    """Return a slider that the engine itself or an asset reads."""
    return Slider(name, about, *ends, {}, {}, neutral)


_WIDE, _NARROW = ("narrow", "wide"), ("wide", "narrow")
_LOW, _SMALL, _BACK, _FLAT, _THIN = (
    ("low", "high"),
    ("small", "large"),
    ("back", "forward"),
    ("flat", "full"),
    ("thin", "thick"),
)
_UP, _OUT = ("down", "up"), ("in", "out")
_FORWARD = ("backward", "forward")

SLIDERS = (
    _free("style", "proportions of a person or of a cartoon", ("natural", "cartoon"), 0.75),
    _shape(
        "age",
        "age, with the mean persons of each",
        ("child", "old"),
        ({"head/head-age-decr": 0.8, "nose/nose-scale-vert-decr": 0.4}, {"head/head-age-incr": 0.3}),
    ),
    _shape(
        "gender",
        "bones of the face, with the mean persons of each",
        ("feminine", "masculine"),
        _pair("chin/chin-bones", 0.5),
        _pair("chin/chin-width", 0.5),
        _pair("neck/neck-scale-horiz", 0.5),
        _pair("head/head-scale-horiz", 0.15),
        (
            {"mouth/mouth-upperlip-volume-incr": 0.4, "mouth/mouth-lowerlip-volume-incr": 0.4},
            {"eyebrows/eyebrows-trans-down": 0.4},
        ),
    ),
    _shape(
        "weight",
        "weight, with the mean persons of each",
        ("thin", "heavy"),
        _pair("head/head-fat"),
        _pair("cheek/*-cheek-volume", 0.6),
        _pair("neck/neck-double", 0.8),
        _pair("neck/neck-scale-horiz", 0.5),
    ),
    _free("african", "share of African features", ("none", "all"), 1 / 3),
    _free("asian", "share of East Asian features in the rest, against European ones", ("European", "East Asian")),
    _shape("head_width", "width of the head", _WIDE, _pair("head/head-scale-horiz")),
    _shape("head_length", "length of the head", ("short", "long"), _pair("head/head-scale-vert")),
    _shape("head_depth", "depth of the head from front to back", ("shallow", "deep"), _pair("head/head-scale-depth")),
    _shape(
        "head_shape",
        "blend of shapes of the head",
        ("round", "square"),
        ({"head/head-round": 0.9}, {"head/head-square": 0.9}),
    ),
    _shape(
        "head_taper",
        "blend of shapes of the face",
        ("broad jaw", "broad forehead"),
        ({"head/head-triangular": 0.8}, {"head/head-invertedtriangular": 0.8}),
    ),
    _shape(
        "forehead_height", "height of the forehead", _LOW, _pair("forehead/forehead-scale-vert"), reach=(0.75, 0.65)
    ),
    _shape(
        "forehead_slope",
        "forehead",
        ("sloping", "round"),
        _pair("forehead/forehead-trans", 1.0, _FORWARD),
        _pair("forehead/forehead-nubian", 0.5),
        reach=(0.7, 0.7),
    ),
    _shape(
        "temples", "width of the temples", ("hollow", "full"), _pair("forehead/forehead-temple", 1.5), reach=(0.65, 0.8)
    ),
    _shape("brow_height", "height of the brows", _LOW, _pair("eyebrows/eyebrows-trans", 1.5, _UP), reach=(1.0, 0.75)),
    _shape(
        "brow_angle",
        "slope of the brows",
        ("sad", "stern"),
        ({"eyebrows/eyebrows-angle-up": 1}, {"eyebrows/eyebrows-angle-down": 1}),
    ),
    _shape(
        "brow_depth",
        "how far the brows stand out",
        _BACK,
        _pair("eyebrows/eyebrows-trans", 1.0, _FORWARD),
        reach=(1.0, 0.62),
    ),
    _free("brow_thickness", "thickness of the brows", _THIN),
    _shape("eye_size", "size of the eyes", _SMALL, _pair("eyes/*-eye-scale", 1.8)),
    _shape("eye_spacing", "distance of the eyes", ("close", "far"), _pair("eyes/*-eye-trans", 1.5, _OUT)),
    _shape("eye_height", "height of the eyes in the face", _LOW, _pair("eyes/*-eye-trans", 1.0, _UP)),
    _shape(
        "eye_rotation",
        "slope of the eyes from inner to outer corner",
        ("drooping", "slanted"),
        (
            {"eyes/*-eye-corner1-up": 0.6, "eyes/*-eye-corner2-down": 0.8},
            {"eyes/*-eye-corner1-down": 0.6, "eyes/*-eye-corner2-up": 0.8},
        ),
    ),
    _shape(
        "eye_opening",
        "height of the opening of the lids",
        ("narrow", "open"),
        _pair("eyes/*-eye-height1"),
        _pair("eyes/*-eye-height2"),
        _pair("eyes/*-eye-height3"),
    ),
    _shape(
        "eye_depth",
        "how deep the eyes lie",
        ("deep", "bulging"),
        _pair("eyes/*-eye-push1", 1.0, _OUT),
        _pair("eyes/*-eye-push2", 1.0, _OUT),
    ),
    _shape("eye_fold", "fold of the upper lids", ("hooded", "open"), _pair("eyes/*-eye-eyefold", 1.0, _UP)),
    _shape(
        "epicanthus",
        "inner fold of the lids",
        ("none", "strong"),
        ({"eyes/*-eye-epicanthus-out": 1}, {"eyes/*-eye-epicanthus-in": 1}),
    ),
    _shape("eye_bags", "bags below the eyes", ("none", "heavy"), _pair("eyes/*-eye-bag")),
    _free("lashes", "length of the lashes", ("short", "long")),
    _shape("nose_width", "width of the nose", _WIDE, _pair("nose/nose-scale-horiz")),
    _shape("nose_height", "length of the nose", ("short", "long"), _pair("nose/nose-scale-vert")),
    _shape("nose_position", "height of the nose in the face", _LOW, _pair("nose/nose-trans", 1.0, _UP)),
    _shape(
        "nose_depth",
        "how far the nose stands out",
        ("flat", "prominent"),
        _pair("nose/nose-scale-depth"),
        reach=(0.65, 0.8),
    ),
    _shape(
        "nose_bridge",
        "ridge of the nose",
        ("hollow", "humped"),
        _pair("nose/nose-hump", 0.7),
        _pair("nose/nose-curve", 0.7, ("concave", "convex")),
    ),
    _shape("nose_bridge_width", "width of the bridge", _WIDE, _pair("nose/nose-width1"), _pair("nose/nose-width2")),
    _shape(
        "nose_tip",
        "direction of the tip",
        ("down", "up"),
        _pair("nose/nose-point", 0.7, _UP),
        _pair("nose/nose-septumangle", 0.5),
    ),
    _shape(
        "nose_tip_width",
        "width of the tip",
        ("pointed", "bulbous"),
        _pair("nose/nose-point-width"),
        _pair("nose/nose-volume", 0.6),
    ),
    _shape(
        "nostrils",
        "width of the nostrils",
        _WIDE,
        _pair("nose/nose-nostrils-width"),
        _pair("nose/nose-flaring", 0.7),
        _pair("nose/nose-width3", 0.7),
    ),
    _shape("mouth_width", "width of the mouth", _WIDE, _pair("mouth/mouth-scale-horiz")),
    _shape(
        "mouth_volume",
        "volume of the lips",
        ("thin", "full"),
        _pair("mouth/mouth-lowerlip-volume"),
        _pair("mouth/mouth-upperlip-volume"),
        _pair("mouth/mouth-scale-vert", 0.5),
    ),
    _shape("mouth_position", "height of the mouth in the face", _LOW, _pair("mouth/mouth-trans", 1.0, _UP)),
    _shape("mouth_depth", "how far the mouth stands out", _BACK, _pair("mouth/mouth-trans", 0.7, _FORWARD)),
    _shape("mouth_corners", "corners of the closed mouth", ("down", "up"), _pair("mouth/mouth-angles", 0.8, _UP)),
    _shape("upper_lip", "height of the upper lip", ("thin", "full"), _pair("mouth/mouth-upperlip-height")),
    _shape("lower_lip", "height of the lower lip", ("thin", "full"), _pair("mouth/mouth-lowerlip-height")),
    _shape("cupids_bow", "bow of the upper lip", ("flat", "marked"), _pair("mouth/mouth-cupidsbow")),
    _shape(
        "laugh_lines",
        "lines from nose to mouth",
        ("smooth", "deep"),
        ({"mouth/mouth-laugh-lines-out": 1}, {"mouth/mouth-laugh-lines-in": 1}),
    ),
    _shape(
        "cheek_volume",
        "volume of the cheeks",
        ("hollow", "full"),
        _pair("cheek/*-cheek-volume"),
        _pair("cheek/*-cheek-inner", 0.5),
    ),
    _shape("cheekbones", "cheekbones", ("soft", "marked"), _pair("cheek/*-cheek-bones")),
    _shape("cheek_height", "height of the cheeks", _LOW, _pair("cheek/*-cheek-trans", 1.0, _UP)),
    _shape("chin_width", "width of the chin", _WIDE, _pair("chin/chin-width")),
    _shape("chin_height", "height of the chin", ("short", "long"), _pair("chin/chin-height", 0.7), reach=(1.0, 0.7)),
    _shape(
        "chin_prominence",
        "how far the chin stands out",
        _BACK,
        _pair("chin/chin-prominent"),
        _pair("chin/chin-prognathism", 0.4),
    ),
    _shape("chin_cleft", "cleft of the chin", ("none", "deep"), _pair("chin/chin-cleft")),
    _shape("jaw_width", "bones of the jaw", ("soft", "angular"), _pair("chin/chin-bones")),
    _shape("jaw_drop", "height of the jaw's angle", ("high", "low"), _pair("chin/chin-jaw-drop")),
    _shape("double_chin", "fat below the chin", ("none", "double"), _pair("neck/neck-double")),
    _shape("ear_size", "size of the ears", _SMALL, _pair("ears/*-ear-scale")),
    _shape("ear_angle", "how far the ears stand out", ("flat", "sticking out"), _pair("ears/*-ear-wing")),
    _shape("ear_height", "height of the ears on the head", _LOW, _pair("ears/*-ear-trans", 0.7, _UP)),
    _shape(
        "ear_shape",
        "top of the ears",
        ("round", "pointed"),
        ({"ears/*-ear-shape-round": 1}, {"ears/*-ear-shape-pointed": 1}),
    ),
    _shape("ear_lobes", "size of the ear lobes", _SMALL, _pair("ears/*-ear-lobe")),
    _shape(
        "neck_width",
        "width of the neck",
        ("thin", "thick"),
        _pair("neck/neck-scale-horiz"),
        _pair("neck/neck-scale-depth"),
    ),
    _shape("neck_length", "length of the neck", ("short", "long"), _pair("neck/neck-scale-vert", 0.6)),
    _free("hair_volume", "volume of the hair", _FLAT),
    _free("hair_length", "length of the hair within its style", ("short", "long")),
    _free("beard_volume", "length of the beard", ("short", "long")),
    _free("glasses_size", "size of the glasses", _SMALL),
    _free("glasses_height", "where the glasses sit on the nose", _LOW),
    _free("blush", "redness of the cheeks", ("none", "rosy"), 0.4),
)
"""In the order of arrays of values."""

NAMES = tuple(slider.name for slider in SLIDERS)
NEUTRAL: Mapping[str, float] = {slider.name: slider.neutral for slider in SLIDERS}
