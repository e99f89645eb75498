"""The command line of a request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from facepipe.config import variable_of
from facepipe.requests.declaration import Declared, declared
from facepipe.settings import DEFAULT, Settings

if TYPE_CHECKING:
    from facepipe.pipeline.invocation import Invocation
    from facepipe.requests.request import RequestBase

OUTS = ("out", "sheet", "report")
"""Fields with the paths of results."""
LEFT_OUT = (*OUTS, "work", "overwrite", "save_preset")
WITHOUT_OPTION = ("work.segment_frames",)
"""Settings that change the bytes of a result and have no option."""


def invocation_of(request: RequestBase, settings: Settings, out: Path | None = None) -> Invocation:
    """Return the invocation of a request. `settings` are overridden by it; `out` is its result, if known."""
    from facepipe.pipeline.invocation import Invocation

    inputs: list[Path | tuple[Path, ...]] = []
    options: list[str] = []
    outs: dict[str, Path] = {}
    for name, field in declared(type(request)).items():
        value = getattr(request, name)
        if field.option.positional:
            inputs.append(tuple(one.absolute() for one in value) if field.several else value.absolute())
        elif name in OUTS and value is not None:
            outs[field.option.short or field.flag] = value
        elif name not in LEFT_OUT:
            options += _words(field, *_effective(field, value, settings))
    environment = {
        variable_of(name): str(_setting(settings, name)) for name in WITHOUT_OPTION if settings.origin(name) != DEFAULT
    }
    if out:
        outs["-o"] = out
    return Invocation(request.command, tuple(inputs), tuple(options), outs, environment)


def _effective(field: Declared, value: Any, settings: Settings) -> tuple[Any, bool]:
    """Return the value of an option and whether it is its default."""
    if not field.option.setting:
        return value, value == field.default
    value = _setting(settings, field.option.setting)
    if value and (field.type is Path or (field.option.reads_if and field.is_read(value))):
        value = Path(value).expanduser()
    return value, settings.origin(field.option.setting) == DEFAULT


def _setting(settings: Settings, name: str) -> Any:
    section, key = name.split(".")
    return getattr(getattr(settings, section), key)


def _words(field: Declared, value: Any, is_default: bool) -> list[str]:
    if is_default:
        return []
    if isinstance(value, bool):
        return [field.flag if value else f"--no{field.flag[1:]}"]
    values = [
        str(one.absolute()) if isinstance(one, Path) else str(one) for one in (value if field.several else [value])
    ]
    return [
        word for text in values for word in ([f"{field.flag}={text}"] if text.startswith("-") else [field.flag, text])
    ]
