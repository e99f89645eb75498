"""The options of a job: the options of a request, and the settings for those that are not given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facepipe.config import FLAG, override, shown_source
from facepipe.errors import UsageError
from facepipe.face.rule import is_reference
from facepipe.renderers import RENDERERS
from facepipe.rendering.spec import SourceKind
from facepipe.requests.avatars import check_avatar_options, is_of_avatar
from facepipe.requests.backgrounds import CODEC_OF_WEBM, background_of, check_background, check_signature, container_of
from facepipe.requests.declaration import declared
from facepipe.requests.invocation import invocation_of
from facepipe.requests.rules import check_keypoints, check_pictures, check_settings, check_source_frame
from facepipe.settings import DEFAULT, Settings
from facepipe.spaces import SPACES

if TYPE_CHECKING:
    from facepipe.motion.synthesis import SamplingOptions
    from facepipe.pipeline.options import Options
    from facepipe.pipeline.provenance import Provenance
    from facepipe.requests.request import RequestBase
    from facepipe.requests.speech import SpeechOptions
    from facepipe.spaces.retargeting import Retargeting

OWN = ("grid", "paste_back", "sheet", "source_frame", "source_frames", "source_picture", "track", "overwrite")
"""Fields of requests that are options of a job under the same name."""
AVATAR_RENDERER = next(name for name, spec in RENDERERS.items() if spec.source == SourceKind.AVATAR)
RATE = re.compile(r"\d{1,9}(\.\d{1,9})?(/\d{1,9})?", re.ASCII)


def settings_for(request: RequestBase, settings: Settings) -> Settings:
    """Return the settings, overridden by the options of the request. Raises UsageError."""
    values: dict[str, Any] = {}
    flags: dict[str, str] = {}
    for name, field in declared(type(request)).items():
        if field.option.setting:
            value = getattr(request, name)
            values[field.option.setting] = str(value) if isinstance(value, Path) else value
            flags[field.option.setting] = field.flag
    return override(settings, values, names=flags)


def options_for(request: RequestBase, settings: Settings, out: Path | None = None, **others: Any) -> Options:
    """Return the options of a request's job.

    `out` is the result if the request may leave its name open; `others` are options without a field, such as the edit.
    """
    from facepipe.media.limits import MediaLimits
    from facepipe.pipeline.options import Options

    settings = settings_for(request, settings)
    own = {name: getattr(request, name) for name in OWN if hasattr(request, name)}
    check_settings(settings)
    check_source_frame(own.get("source_frame", "best"))
    check_avatar_options(request)
    renderer, space = _renderer_and_space(settings, of_avatar=is_of_avatar(request))
    result: Path | None = out or getattr(request, "out", None)
    shows_more = bool(own.get("grid") or own.get("paste_back"))
    renders = hasattr(request, "background")
    background = background_of(settings, renderer, result, shows_more=shows_more) if renders else ""
    container, provenance = container_of(background, result), _provenance(settings)
    check_signature(container, signs=hasattr(request, "certificate") and provenance.credentials is not None)
    if renders:
        check_background(settings, background, container, result, own)
    check_pictures(renderer, own.get("source_frames", 1), len(own.get("source_picture", ())))
    return Options(
        size_pixels=settings.output.size_pixels,
        quality=settings.output.quality,
        codec=CODEC_OF_WEBM if container == "webm" else settings.output.codec,
        fit=settings.output.fit,
        renderer=renderer,
        weights=settings.render.weights,
        compiled=settings.render.compile,
        face=_face(settings.face.face),
        driver_face=_face(settings.face.driver_face),
        no_face=settings.face.no_face,
        landmarker=settings.face.landmarker,
        space=space,
        smoothing=_default_of(settings, space, "motion.smoothing") or settings.motion.smoothing,
        retargeting=_retargeting(request, settings, space),
        limits=MediaLimits(settings.media.max_pixels, settings.media.max_duration_seconds),
        segment_frames=settings.work.segment_frames,
        provenance=provenance,
        background=background,
        container=container,
        invocation=invocation_of(request, settings, out),
        **own,
        **others,
    )


def _face(rule: str) -> str:
    """Return the rule, or the path of the reference picture."""
    return str(Path(rule).expanduser()) if is_reference(rule) else rule


def _retargeting(request: RequestBase, settings: Settings, space: str) -> Retargeting:
    from facepipe.spaces.retargeting import Retargeting

    values = {field.name: getattr(settings.motion, field.name) for field in fields(Retargeting)}
    values["motion"] = _default_of(settings, space, "motion.motion") or values["motion"]
    if not hasattr(request, "keypoints"):
        return Retargeting(**{**values, "keypoints": "source"})
    how = Retargeting(**values)
    check_keypoints(how, space, shown_source(settings, "motion.keypoints", "--keypoints"))
    return how


def _provenance(settings: Settings) -> Provenance:
    from facepipe.pipeline.provenance import Provenance

    given = settings.provenance
    return Provenance(
        certificate=_path(given.certificate),
        key=_path(given.key),
        consent=_path(given.consent),
        require_consent=given.require_consent,
    )


def _path(setting: str) -> Path | None:
    return Path(setting).expanduser() if setting else None


def _renderer_and_space(settings: Settings, *, of_avatar: bool) -> tuple[str, str]:
    """Return renderer and motion space.

    The renderer is given, or implied by the network, the space, or an avatar as source. The space is given, or implied
    by the renderer.
    """
    from facepipe.pipeline.networks import renderer_for

    renderer, space = settings.render.renderer, settings.face.space
    if of_avatar and settings.origin("render.renderer") != FLAG:
        # A renderer in the settings is the one for portraits.
        renderer = AVATAR_RENDERER
    elif settings.origin("render.renderer") == DEFAULT:
        renderer = renderer_for(settings.render.weights, space, default=renderer)
    return renderer, RENDERERS[renderer].space if space == "auto" else space


def _default_of(settings: Settings, space: str, name: str) -> str:
    """Return the motion space's default of a setting; empty if it has none, or if the user sets a value."""
    return SPACES[space].defaults.get(name, "") if settings.origin(name) == DEFAULT else ""


def fps_of(text: str, shown: str = "--fps") -> Fraction:
    """Parse a frame rate from 1 to 240 frames per second. Raises UsageError, which calls the text `shown`."""
    try:
        # Fraction would compute the digits of 1e999999999.
        fps = Fraction(text) if RATE.fullmatch(text) else Fraction(0)
    except (ValueError, ZeroDivisionError):
        fps = Fraction(0)
    if not 1 <= fps <= 240 or fps.denominator > 1001:
        raise UsageError(
            f"{shown} is {text!r}, expected frames per second from 1 to 240, for example 25, 29.97 or 30000/1001"
        )
    return fps


def sampling_of(speech: SpeechOptions) -> SamplingOptions:
    """Return the parameters of the generated motion."""
    from facepipe.motion.procedural import ProceduralMotion
    from facepipe.motion.synthesis import SamplingOptions

    def given(names: tuple[str, ...]) -> Mapping[str, Any]:
        return {name: getattr(speech, name) for name in names}

    return SamplingOptions(
        **given(("seed", "temperature", "expression_strength", "pose_strength", "still")),
        lookahead=-1 if speech.lookahead is None else speech.lookahead,
        procedural=ProceduralMotion(**given(("blinks", "breath", "smooth_head", "resting_lips", "steady_lips"))),
    )
