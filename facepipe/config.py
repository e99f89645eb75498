"""Reading settings from their sources.

In order of precedence: flags, environment variables (FACEPIPE_<SECTION>_<KEY>), the project's facepipe.toml, the
user's file, the defaults of `facepipe.settings`. Errors for unknown keys and invalid values name source and key.
"""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from facepipe.errors import UsageError
from facepipe.settings import DEFAULT, MAX_WHOLE, NUMBERED, SECTIONS, Settings, bounds_of, declared

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT_FILE = "facepipe.toml"
FLAG = "flag"
PREFIX = "FACEPIPE_"


def load_settings(
    *,
    flags: Mapping[str, Any] | None = None,
    flag_names: Mapping[str, str] | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings for a folder (default: the current one).

    `flags` maps "section.key" to values; None means that the flag was not given. `flag_names` maps "section.key" to the
    name of the flag in messages. Raises UsageError, with source, key and value, for unknown keys and invalid values.
    """
    environ, names = os.environ if environ is None else environ, flag_names or {}
    settings = Settings()
    for path in (user_file(environ), project_file(folder or Path.cwd())):
        if path is not None and _is_there(path):
            settings = _overlaid(settings, _read_file(path))
    settings = _overlaid(settings, _read_environment(environ))
    return override(settings, flags or {}, names=names)


def override(settings: Settings, values: Mapping[str, Any], *, names: Mapping[str, str]) -> Settings:
    """Return the settings with `values` by "section.key" in place of their own; None leaves a setting as it is.

    `names` maps "section.key" to the name that errors call the value by. Raises UsageError as `load_settings` does.
    """
    return _overlaid(settings, [Given(name, value, FLAG, names.get(name, name)) for name, value in values.items()])


def user_file(environ: Mapping[str, str]) -> Path | None:
    """Return the path of the user's settings: FACEPIPE_CONFIG, else facepipe.toml in the system's config folder."""
    if named := environ.get("FACEPIPE_CONFIG"):
        path = Path(named).expanduser()
        if not path.is_file():
            raise UsageError(f"FACEPIPE_CONFIG names {named!r}, which is not a file; correct or unset it")
        return path
    if sys.platform == "win32":
        base = environ.get("APPDATA")
    else:
        home = environ.get("HOME")
        base = environ.get("XDG_CONFIG_HOME") or (home and str(Path(home) / ".config"))
    return Path(base) / "facepipe" / PROJECT_FILE if base else None


def project_file(folder: Path) -> Path | None:
    """Return the nearest facepipe.toml in a folder or its parents."""
    folder = folder.absolute()
    return next((path for above in (folder, *folder.parents) if _is_there(path := above / PROJECT_FILE)), None)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder without read permission, such as a HOME kept by sudo
        return False


@dataclass(frozen=True)
class Given:
    """A value from a source, not yet validated."""

    name: str
    """"section.key"."""
    value: Any
    origin: str
    """The return value of `Settings.origin`."""
    shown: str
    """The name as written in the source."""


def _read_file(path: Path) -> list[Given]:
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))  # Notepad writes a byte-order mark
    except (OSError, ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise UsageError(f"{str(path)!r} cannot be read as TOML ({reason}); correct it") from None
    given = []
    for section, values in content.items():
        if section not in SECTIONS:
            raise UsageError(f"{str(path)!r}: {section!r} is not a section{hint(section, SECTIONS)}")
        if not isinstance(values, dict):
            raise UsageError(f"{str(path)!r}: {section!r} is a section; write [{section}] and its keys below")
        given += [Given(f"{section}.{key}", value, str(path), f"{section}.{key}") for key, value in values.items()]
    return given


def _read_environment(environ: Mapping[str, str]) -> list[Given]:
    """Return the settings among the environment variables. Raises UsageError for unknown FACEPIPE_<SECTION>_*.

    An empty variable is one that is not set, as scripts and containers write it.
    """
    names = {variable_of(name): name for name, _, _ in declared()}
    given = []
    for variable, text in environ.items():
        if not text:
            continue
        if variable in names:
            given.append(Given(names[variable], _from_text(names[variable], text), variable, variable))
        elif variable.startswith(tuple(f"{PREFIX}{section.upper()}_" for section in SECTIONS)):
            raise UsageError(f"{variable} is not a setting{hint(variable, names)}")
    return given


def variable_of(name: str) -> str:
    """Return the name of the environment variable of "section.key"."""
    return PREFIX + name.replace(".", "_").upper()


def _from_text(name: str, text: str) -> Any:
    """Parse an environment variable as the type of its setting. Invalid text is returned as is and refused later."""
    wanted = _type_of(name)
    if wanted is bool:
        return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(text.lower(), text)
    if wanted in (int, float):
        try:
            return wanted(text)
        except ValueError:
            return text
    return text


def _overlaid(settings: Settings, layer: list[Given]) -> Settings:
    for given in layer:
        if given.value is None:
            continue
        if given.name not in _types():
            raise UsageError(f"{_source(given)} is not a setting{hint(given.name, _types())}")
        section, key = given.name.split(".")
        new = replace(getattr(settings, section), **{key: _checked(given)})
        settings = replace(settings, **{section: new, "origins": {**settings.origins, given.name: given.origin}})
    return settings


def check_setting(name: str, value: Any, shown: str) -> None:
    """Raise UsageError, which calls the value `shown`, unless "section.key" can have this value."""
    _checked(Given(name, value, FLAG, shown))


def shown_source(settings: Settings, name: str, flag: str) -> str:
    """Return where the value of "section.key" comes from, for messages: `flag`, a variable, or a file and its key."""
    origin = settings.origin(name)
    return flag if origin in (DEFAULT, FLAG) else _source(Given(name, None, origin, name), variable_of(name))


def _checked(given: Given) -> Any:
    """Validate a value and return it in the type of its setting.

    A whole number is accepted for a float, and for the text of a setting that may be a number.
    """
    wanted, value = _type_of(given.name), given.value
    if type(value) is int and abs(value) > MAX_WHOLE:
        raise UsageError(f"{_source(given)} is a number of {value.bit_length()} bits; expected at most 64 bits")
    if wanted is float and type(value) is int:
        value = float(value)
    if wanted is str and type(value) is int and given.name in NUMBERED:
        value = str(value)
    if isinstance(value, str) and "\0" in value:
        raise UsageError(f"{_source(given)} is {value!r}, which contains a NUL character; remove it")
    options = get_args(wanted) if get_origin(wanted) is Literal else ()
    if value not in options if options else type(value) is not wanted:
        expected = "one of " + ", ".join(options) if options else TYPE_WORDS[wanted]
        raise UsageError(f"{_source(given)} is {value!r}; expected {expected}")
    minimum, maximum = bounds_of(given.name)
    if (minimum is not None and not value >= minimum) or (maximum is not None and not value <= maximum):
        bounds = f"between {minimum} and {maximum}" if None not in (minimum, maximum) else f"of at least {minimum}"
        raise UsageError(f"{_source(given)} is {value!r}; expected a number {bounds}")
    return value


TYPE_WORDS: Mapping[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


@cache
def _types() -> Mapping[str, Any]:
    """Return the type of each setting by "section.key"."""
    hints = {section: get_type_hints(section_type) for section, section_type in SECTIONS.items()}
    return {name: hints[section][f.name] for name, section, f in declared()}


def _type_of(name: str) -> Any:
    return _types()[name]


def _source(given: Given, variable: str = "") -> str:
    if given.origin in (given.shown, FLAG, variable):
        return variable or given.shown
    return f"{given.origin!r}: {given.shown!r}"


#: Names of earlier versions and their names now.
RENAMED = {
    "face.basis": "face.space",
    "FACEPIPE_FACE_BASIS": "FACEPIPE_FACE_SPACE",
    "basis": "space",
    "most": "max_items",
}


def hint(name: str, known: Iterable[str]) -> str:
    """Return the hint that follows an unknown name: its new name, the nearest known one, or all of them."""
    known = list(known)
    if (now := RENAMED.get(name)) in known:
        return f"; it is now called {now!r}"
    # Prefer names of which this is a prefix to similar names.
    close = [other for other in known if other.startswith(name)] or difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; expected one of {', '.join(sorted(known))}"


def example_toml() -> str:
    """Return the text of a facepipe.toml with all settings, commented out, at their defaults."""
    lines = ["# Settings of this project. Each line shows a default; remove the # to change it."]
    shown = ""
    for name, section, f in declared():
        if section != shown:
            shown = section
            lines += ["", f"# {str(SECTIONS[section].__doc__).rstrip('.')}.", f"[{section}]"]
        wanted = _type_of(name)
        options = f" ({', '.join(get_args(wanted))})" if get_origin(wanted) is Literal else ""
        lines += [f"# {f.metadata['help']}{options}", f"# {f.name} = {_toml(f.default)}"]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    return json.dumps(value)  # JSON and TOML are the same for strings, numbers and booleans
