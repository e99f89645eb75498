"""Avatars as sources of jobs. The engine is loaded on first use, because jobs of portraits do without it."""

from __future__ import annotations

from pathlib import Path

from facepipe.errors import InputError, UsageError
from facepipe.media.files import check_input
from facepipe.pipeline.items import is_avatar
from facepipe.pipeline.options import Options
from facepipe.pipeline.precheck import Medium
from facepipe.rendering.background_rule import SOURCE
from facepipe.stages import avatar


def inspect_avatar(path: Path, options: Options) -> Medium:
    """Check an avatar and the options of its job. Raises InputError for another file, UsageError for the options."""
    check_input(path)
    if not is_avatar(path):
        raise InputError(
            f"{path}: is no avatar, and the renderer {options.renderer} animates nothing else; give a params.json as "
            "SOURCE, or choose another --renderer for a picture or video"
        )
    from facepipe.avatar.compiling import open_head
    from facepipe.avatar.params import load_params

    load_params(path)
    open_head()
    if options.paste_back:
        raise UsageError("--paste-back needs a portrait that shows more than the face; leave it out for an avatar")
    if options.background == SOURCE:
        raise UsageError("--background is source, but an avatar has no background of its own; give a colour or picture")
    return Medium(path, "avatar", 1, size=(options.size_pixels, options.size_pixels))


def avatar_params(options: Options) -> avatar.Params:
    """Return the parameters of the stage `avatar`."""
    from facepipe.avatar.compiling import open_head
    from facepipe.avatar.head import ENGINE_VERSION

    return avatar.Params(open_head().digest, ENGINE_VERSION, options.size_pixels)
