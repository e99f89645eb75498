"""The option --background, and the background and container of a result, from its settings and name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from facepipe.config import FLAG, shown_source
from facepipe.errors import UsageError
from facepipe.renderers import RENDERERS
from facepipe.rendering.background_rule import AUTO, SOURCE, TRANSPARENT, colour_of, is_picture
from facepipe.requests.declaration import from_setting
from facepipe.settings import Settings

WEBM, CODEC_OF_WEBM = ".webm", "vp9"
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
WITH_ALPHA = (WEBM, ".png", ".webp")
NAME = "render.background"


@dataclass(frozen=True, kw_only=True)
class Background:
    """What is behind the person."""

    panel: ClassVar[str] = "Result"
    background: str | None = from_setting(
        "render.background",
        "Background: source (the portrait's own, with what the head uncovers filled in), white, black, a colour as "
        "'#RRGGBB' in quotes, a picture (PATH.jpg), or transparent (a .webm, or a .png or .webp picture). auto: "
        "transparent in a .webm, else source, from renderers with alpha; others keep what they render.",
        reads_if=is_picture,
        accepts=("image",),
    )


def video_suffix(settings: Settings) -> str:
    """Return the suffix of a video whose name the user does not give."""
    return WEBM if settings.render.background == TRANSPARENT else ".mp4"


def background_of(settings: Settings, renderer: str, out: Path | None, *, shows_more: bool) -> str:
    """Return the background as in `Options.background`.

    "auto" is that of the renderer. `shows_more` means that the result shows more than the rendered face, so that "auto"
    is never transparent.
    """
    given = settings.render.background
    if given != AUTO:
        return colour_of(given) or (str(Path(given).expanduser()) if is_picture(given) else given)
    if not RENDERERS[renderer].has_alpha:
        return ""
    return TRANSPARENT if out and out.suffix.lower() == WEBM and not shows_more else RENDERERS[renderer].background


def container_of(background: str, out: Path | None) -> str:
    """Return the container of a video: that of its suffix, or without one, WebM if it is transparent, else mp4."""
    suffix = out.suffix.lower() if out else ""
    return "webm" if suffix == WEBM or (not suffix and background == TRANSPARENT) else "mp4"


def check_signature(container: str, *, signs: bool) -> None:
    """Raise UsageError if a result is to be signed, but its container has no signature."""
    if container == "webm" and signs:
        raise UsageError(
            "a .webm cannot be signed, because C2PA defines no signature for it; leave --certificate and --key out, or "
            "use a name ending in .mp4"
        )


def check_background(
    settings: Settings, background: str, container: str, out: Path | None, own: Mapping[str, Any]
) -> None:
    """Raise UsageError for options of a result that exclude each other. `own` are those without a setting."""
    if container == "webm" and settings.output.codec != CODEC_OF_WEBM and settings.origin("output.codec") == FLAG:
        raise UsageError(
            f"--codec is {settings.output.codec}, but a .webm holds vp9 only; leave --codec out, or use a name "
            "ending in .mp4"
        )
    shown = shown_source(settings, NAME, "--background")
    if background == TRANSPARENT:
        _check_transparent(out, own, shown)
    elif own.get("paste_back") and background not in ("", SOURCE) and settings.render.background != AUTO:
        raise UsageError(
            f"{shown} is {settings.render.background}, but --paste-back shows the whole source picture with its own "
            "background; leave one of them out"
        )


def _check_transparent(out: Path | None, own: Mapping[str, Any], shown: str) -> None:
    for name, what in (("grid", "the inputs beside the result"), ("paste_back", "the whole source picture")):
        if own.get(name):
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{shown} is {TRANSPARENT}, but {flag} shows {what}, which is opaque; leave one of them out, or use "
                "another background"
            )
    if out and out.suffix and out.suffix.lower() not in WITH_ALPHA:
        kind, use = ("picture", ".png or .webp") if out.suffix.lower() in PICTURES else ("video", ".webm")
        raise UsageError(
            f"-o is {out}, but {shown} is {TRANSPARENT}, and a {kind} of this kind has no alpha channel; use a name "
            f"ending in {use}, or another background"
        )
