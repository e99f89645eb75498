"""Rules for the values of settings and options, beyond their types and bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from facepipe.config import check_setting, shown_source
from facepipe.errors import UsageError
from facepipe.face.rule import EXPECTED, is_reference, is_rule
from facepipe.renderers import RENDERERS
from facepipe.rendering import background_rule
from facepipe.requests.declaration import declared
from facepipe.settings import Settings
from facepipe.spaces import SPACES

if TYPE_CHECKING:
    from facepipe.requests.request import RequestBase
    from facepipe.spaces.retargeting import Retargeting

MAX_DIGITS = 9
"""Maximum number of digits of the number of a frame or face."""


def check_settings(settings: Settings) -> None:
    """Raise UsageError, which names the source of the value, for a value that types and bounds do not exclude."""
    for name, check in RULES.items():
        section, key = name.split(".")
        check(getattr(getattr(settings, section), key), shown_source(settings, name, FLAGS[name]))


def check_cell_setting(name: str, value: Any, shown: str) -> None:
    """Raise UsageError, which calls the value `shown`, unless "section.key" can have this value."""
    check_setting(name, value, shown)
    if name in RULES:
        RULES[name](value, shown)


def check_source_frame(rule: str, shown: str = "--source-frame") -> None:
    """Raise UsageError unless a text is a rule for the frame of a source video."""
    _check_number(rule, ("best",), shown)


def check_keypoints(how: Retargeting, space: str, shown: str) -> None:
    """Raise UsageError, which calls the value `shown`, if the driver's landmarks cannot be used as they are."""
    if how.keypoints != "driver":
        return
    if "keypoints" not in SPACES[space].arrays:
        having = ", ".join(name for name, one in SPACES.items() if "keypoints" in one.arrays)
        raise UsageError(
            f"{shown} is driver, but the motion space {space} of this job has no landmarks; use a renderer of "
            f"the space {having}, or leave it out"
        )
    if how.motion != "absolute":
        raise UsageError(
            f"{shown} is driver, which needs --motion absolute, but the motion is {how.motion}; add it, or use "
            "--keypoints source"
        )
    if how.strength != 1 or how.only != "all":
        raise UsageError(
            f"{shown} is driver, which uses the driver's landmarks as they are, but --strength is {how.strength:g} and "
            f"--only {how.only}; leave these out, or use --keypoints source"
        )


def check_pictures(renderer: str, frames: int, further: int) -> None:
    """Raise UsageError if a renderer cannot use this number of frames and of further pictures of the source."""
    count, spec = frames + further, RENDERERS[renderer]
    if count <= spec.max_pictures:
        return
    given = " and ".join(
        flag for flag, there in (("--source-frames", frames > 1), ("--source-picture", further > 0)) if there
    )
    pooling = [f"{one.name} (up to {one.max_pictures})" for one in RENDERERS.values() if one.max_pictures > 1]
    usable = f"; renderers that can: {', '.join(pooling)}" if pooling else "; no renderer can"
    able = f"at most {spec.max_pictures}" if spec.max_pictures > 1 else "one"
    verb = "give" if given.count("--") > 1 else "gives"
    raise UsageError(f"{given} {verb} {count} pictures, but the renderer {renderer} uses {able}{usable}")


def check_unused(request: RequestBase, names: Iterable[str], reason: str) -> None:
    """Raise UsageError, which ends with the reason, if any of these options of a request is given."""
    known = declared(type(request))
    given = [name for name in names if getattr(request, name) not in (known[name].default, None, False)]
    if given:
        flags = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(f"{flags} {'are' if len(given) > 1 else 'is'} given, but {reason}")


def _check_face_rule(rule: str, shown: str) -> None:
    if not (is_rule(rule) or is_reference(rule)):
        raise UsageError(f"{shown} is {rule!r}, expected {EXPECTED}")


def _check_reference(rule: str, shown: str) -> None:
    _check_number(rule, ("best", "first"), shown)


def _check_number(rule: str, choices: tuple[str, ...], shown: str) -> None:
    if rule not in choices and not _is_number(rule):
        raise UsageError(f"{shown} is {rule!r}, expected {', '.join(choices)}, or a frame number from 0")


def _is_number(rule: str) -> bool:
    return rule.isdecimal() and len(rule) <= MAX_DIGITS


def _check_even(size: int, shown: str) -> None:
    if size % 2:
        raise UsageError(f"{shown} is {size}; video needs an even number. Take {size + 1}.")


def _check_choice(value: str, choices: Iterable[str], shown: str) -> None:
    if value not in (names := list(choices)):
        raise UsageError(f"{shown} is {value!r}; expected one of {', '.join(names)}")


def _check_renderer(value: str, shown: str) -> None:
    _check_choice(value, RENDERERS, shown)


def _check_background(value: str, shown: str) -> None:
    if not background_rule.is_background(value):
        raise UsageError(f"{shown} is {value!r}, expected {background_rule.EXPECTED}")


def _check_space(value: str, shown: str) -> None:
    _check_choice(value, ("auto", *SPACES), shown)


RULES: Mapping[str, Callable[[Any, str], None]] = {
    "face.face": _check_face_rule,
    "face.driver_face": _check_face_rule,
    "motion.reference": _check_reference,
    "output.size_pixels": _check_even,
    "render.renderer": _check_renderer,
    "face.space": _check_space,
    "render.background": _check_background,
}
"""Checks of single settings by "section.key", beyond their types and bounds."""
FLAGS: Mapping[str, str] = {
    "face.face": "--face",
    "face.driver_face": "--driver-face",
    "motion.reference": "--reference",
    "output.size_pixels": "--size",
    "render.renderer": "--renderer",
    "face.space": "--space",
    "render.background": "--background",
}
