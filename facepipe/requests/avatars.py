"""Avatars as the SOURCE of a request: the options about a portrait that have no effect on them."""

from __future__ import annotations

from pathlib import Path

from facepipe.requests.request import RequestBase
from facepipe.requests.rules import check_unused

UNUSED = {
    ("face", "source_frame", "source_frames", "source_picture"): "SOURCE is an avatar, whose face is not searched for",
    ("compile",): "SOURCE is an avatar, which is drawn without a network",
}
"""Reasons by options that have no effect."""
OTHER_FACES = ("driver", "from_image", "pose_from")
"""Fields that name the file of a second face."""


def is_of_avatar(request: RequestBase) -> bool:
    """Return whether the source of a request is an avatar, by its suffix."""
    from facepipe.pipeline.items import is_avatar

    source = getattr(request, "source", None)
    return isinstance(source, Path) and is_avatar(source)


def check_avatar_options(request: RequestBase) -> None:
    """Raise UsageError for options of a request about the portrait, if its source is an avatar.

    Values in the settings are for portraits, and are no error.
    """
    if not is_of_avatar(request):
        return
    reasons = dict(UNUSED)
    if not _sees_faces(request):
        reasons["landmarker",] = "no input of this job shows a face to search for"
    for names, reason in reasons.items():
        check_unused(request, [name for name in names if hasattr(request, name)], f"{reason}; leave it out")


def _sees_faces(request: RequestBase) -> bool:
    """Return whether a request reads a face from pixels, besides its source."""
    from facepipe.pipeline.items import is_motion, is_take

    others = [path for name in OTHER_FACES if (path := getattr(request, name, None))]
    return any(not (is_motion(path) or is_take(path)) for path in others) or hasattr(request, "drivers")
