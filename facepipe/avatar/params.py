"""The file of an avatar, `params.json`: its vector by names, with the versions that it was made by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facepipe.avatar.head import ENGINE_VERSION
from facepipe.avatar.vector import AvatarVector, shown
from facepipe.errors import InputError
from facepipe.media.files import check_input

FORMAT = "facepipe-avatar"
SCHEMA_VERSION = 1
KEYS = ("format", "schema", "engine", "head", "sliders", "colours", "choices")
LIMIT_BYTES = 1 << 20


def save_params(vector: AvatarVector, path: Path, *, head_digest: str) -> None:
    """Write a vector. Equal vectors give equal bytes, and numbers are read exactly as they were."""
    content = {
        "format": FORMAT,
        "schema": SCHEMA_VERSION,
        "engine": ENGINE_VERSION,
        "head": head_digest,
        "sliders": dict(vector.sliders),
        "colours": {name: list(place) for name, place in vector.colours.items()},
        "choices": dict(vector.choices),
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def load_params(path: Path) -> AvatarVector:
    """Read the vector of a file of `save_params`; what it leaves out is neutral.

    Raises InputError if it is missing, no such file, of a newer version, or has unknown keys or values out of range.
    """
    content = _read(path)
    try:
        _check_header(content)
        parts = {name: content.get(name, {}) for name in ("sliders", "colours", "choices")}
        for name, values in parts.items():
            if not isinstance(values, dict):
                raise InputError(f"{name} must be an object of values by name, not {shown(values)}")
        return AvatarVector(**parts)
    except InputError as error:
        raise InputError(f"{str(path)!r}: {error}") from None


def head_of(path: Path) -> str:
    """Return the digest of the head that a file was made with; "" if it states none."""
    return str(_read(path).get("head", ""))


def _read(path: Path) -> dict[str, Any]:
    check_input(path)
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT_BYTES + 1)
        if len(raw) > LIMIT_BYTES:
            raise ValueError(f"it has more than {LIMIT_BYTES} bytes")
        content = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_unique)
        if not isinstance(content, dict):
            raise ValueError("it holds no object")
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{str(path)!r} is no file of an avatar ({error}); `facepipe avatar` with sample or edit writes such files"
        ) from None
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key is there twice")
    return content


def _check_header(content: dict[str, Any]) -> None:
    if content.get("format") != FORMAT:
        raise InputError(f"the key format must be {FORMAT!r}, not {shown(content.get('format'))}")
    for name, known in (("schema", SCHEMA_VERSION), ("engine", ENGINE_VERSION)):
        version = content.get(name)
        if isinstance(version, bool) or not isinstance(version, int) or version < 1:
            raise InputError(f"the key {name} must be a version number, not {shown(version)}")
        if version > known:
            raise InputError(
                f"it is of version {version} of the {name}, and this facepipe knows {known}: update facepipe"
            )
    if "head" in content and not isinstance(content["head"], str):
        raise InputError(f"the key head must be the digest of a head, not {shown(content['head'])}")
    if unknown := sorted(set(content) - set(KEYS)):
        raise InputError(f"it has the unknown key {shown(unknown[0])}; known are {', '.join(KEYS)}")
