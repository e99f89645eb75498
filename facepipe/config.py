"""Settings and their sources.

In order of precedence: flags, environment variables (FACEPIPE_<SECTION>_<KEY>), the project's facepipe.toml, the
user's file, the defaults below. Errors for unknown keys and invalid values name the source and the key.
"""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from facepipe.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

V = TypeVar("V")

PROJECT_FILE = "facepipe.toml"
DEFAULT = "default"
FLAG = "flag"
PREFIX = "FACEPIPE_"


def setting(default: V, told: str, *, least: float | None = None, most: float | None = None) -> V:
    """Declare a setting: its default, its help text, and its minimum and maximum (both inclusive)."""
    declaration: V = field(default=default, metadata={"told": told, "least": least, "most": most})
    return declaration


@dataclass(frozen=True)
class WorkSettings:
    """Work files."""

    folder: str = setting(".facepipe", "folder of the work files; a relative path is relative to the current folder")
    segment_frames: int = setting(125, "frames per rendered segment, the most that a kill can lose", least=1)
    stale_seconds: float = setting(120.0, "claims of other machines expire if not renewed for this long", least=1.0)


@dataclass(frozen=True)
class MediaSettings:
    """Limits of input files."""

    max_pixels: int = setting(67_108_864, "maximum pixels (width times height) of a picture or frame", least=1)
    max_duration_seconds: float = setting(7200.0, "maximum duration of a video or sound file", least=0)


@dataclass(frozen=True)
class OutputSettings:
    """Encoding of results."""

    codec: str = setting("h264", "video codec")
    quality: int = setting(75, "encoding quality, from 0 (smallest file) to 100 (best picture)", least=0, most=100)
    size_pixels: int = setting(256, "width and height of the rendered face", least=64, most=2048)
    fit: Literal["shortest", "driver", "pad"] = setting("driver", "duration of the result if sound and motion differ")


@dataclass(frozen=True)
class FaceSettings:
    """Face selection and analysis."""

    face: str = setting("largest", "face in the source: largest, left, right, or a number from 1")
    driver_face: str = setting("largest", "face in the driver: largest, left, right, or a number from 1")
    no_face: Literal["fail", "hold", "source", "cut"] = setting("hold", "handling of driver frames without a face")
    landmarker: Literal["embedded", "face-alignment"] = setting("embedded", "landmark detector")
    space: str = setting("auto", "motion space; auto selects the renderer's")


@dataclass(frozen=True)
class MotionSettings:
    """Transfer of the driver's motion."""

    motion: Literal["relative", "absolute"] = setting("relative", "motion relative to the reference frame, or absolute")
    strength: float = setting(1.0, "factor on the motion", least=0, most=3)
    only: Literal["all", "expression", "pose"] = setting("all", "part of the motion to transfer")
    scale: Literal["source", "adapt", "driver"] = setting("adapt", "size and position of the head")
    reference: str = setting("best", "reference frame of relative motion: best, first, or a number from 0")
    smoothing: Literal["none", "one-euro", "savitzky-golay"] = setting(
        "savitzky-golay", "smoothing of the driver's motion; off by default in the space bfm"
    )


@dataclass(frozen=True)
class RenderSettings:
    """Rendering."""

    renderer: str = setting("compact", "renderer; `facepipe reenact --help` lists all")
    weights: str = setting("", "registry name of the renderer's network; empty for the default one")
    compile: bool = setting(
        False, "compile the network by torch first (for long clips on a GPU); keeps finished results"
    )


@dataclass(frozen=True)
class ProvenanceSettings:
    """Provenance of results."""

    certificate: str = setting("", "certificate chain (PEM) to sign results with (C2PA); requires the key")
    key: str = setting("", "private key (PEM) of the certificate")
    consent: str = setting("", "file with the consent of the person shown; its digest is recorded")
    require_consent: bool = setting(False, "refuse to run without a consent file")


@dataclass(frozen=True)
class Settings:
    """All settings, validated, and the source of each."""

    work: WorkSettings = WorkSettings()
    media: MediaSettings = MediaSettings()
    output: OutputSettings = OutputSettings()
    face: FaceSettings = FaceSettings()
    motion: MotionSettings = MotionSettings()
    render: RenderSettings = RenderSettings()
    provenance: ProvenanceSettings = ProvenanceSettings()
    origins: Mapping[str, str] = field(default_factory=dict)
    """Source by "section.key", for values that are not defaults."""

    def origin(self, name: str) -> str:
        """Return the source of the value of "section.key": "default", "flag", a file or an environment variable."""
        return self.origins.get(name, DEFAULT)

    def rows(self) -> list[tuple[str, Any, str]]:
        """Return (name, value, origin) of each setting in order of declaration."""
        return [(name, getattr(getattr(self, section), f.name), self.origin(name)) for name, section, f in declared()]


SECTIONS: Mapping[str, type] = {
    f.name: type(f.default) for f in fields(Settings) if f.name != "origins" and f.default is not None
}


def declared() -> Iterator[tuple[str, str, Field[Any]]]:
    """Yield ("section.key", section, field) of each setting."""
    for section, section_type in SECTIONS.items():
        for f in fields(section_type):
            yield f"{section}.{f.name}", section, f


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
    return _overlaid(
        settings, [Given(name, value, FLAG, names.get(name, name)) for name, value in (flags or {}).items()]
    )


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
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} cannot be read as TOML ({error}); correct it") from None
    given = []
    for section, values in content.items():
        if section not in SECTIONS:
            raise UsageError(f"{str(path)!r}: {section!r} is not a section{_hint(section, SECTIONS)}")
        if not isinstance(values, dict):
            raise UsageError(f"{str(path)!r}: {section!r} is a section; write [{section}] and its keys below")
        given += [Given(f"{section}.{key}", value, str(path), f"{section}.{key}") for key, value in values.items()]
    return given


def _read_environment(environ: Mapping[str, str]) -> list[Given]:
    """Return the settings among the environment variables. Raises UsageError for unknown FACEPIPE_<SECTION>_*."""
    names = {variable_of(name): name for name, _, _ in declared()}
    given = []
    for variable, text in environ.items():
        if variable in names:
            given.append(Given(names[variable], _from_text(names[variable], text), variable, variable))
        elif variable.startswith(tuple(f"{PREFIX}{section.upper()}_" for section in SECTIONS)):
            raise UsageError(f"{variable} is not a setting{_hint(variable, names)}")
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
    known = {name for name, _, _ in declared()}
    for given in layer:
        if given.value is None:
            continue
        if given.name not in known:
            raise UsageError(f"{_source(given)} is not a setting{_hint(given.name, known)}")
        section, key = given.name.split(".")
        new = replace(getattr(settings, section), **{key: _checked(given)})
        settings = replace(settings, **{section: new, "origins": {**settings.origins, given.name: given.origin}})
    return settings


def _checked(given: Given) -> Any:
    """Validate a value and return it in the type of its setting. An int is accepted for a float."""
    wanted, value = _type_of(given.name), given.value
    if wanted is float and type(value) is int:
        value = float(value)
    options = get_args(wanted) if get_origin(wanted) is Literal else ()
    if value not in options if options else type(value) is not wanted:
        expected = "one of " + ", ".join(options) if options else TYPE_WORDS[wanted]
        raise UsageError(f"{_source(given)} is {value!r}; expected {expected}")
    metadata = next(f.metadata for name, _, f in declared() if name == given.name)
    least, most = metadata["least"], metadata["most"]
    if (least is not None and not value >= least) or (most is not None and not value <= most):
        bounds = f"between {least} and {most}" if None not in (least, most) else f"of at least {least}"
        raise UsageError(f"{_source(given)} is {value!r}; expected a number {bounds}")
    return value


TYPE_WORDS: Mapping[Any, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def _type_of(name: str) -> Any:
    section, key = name.split(".")
    return get_type_hints(SECTIONS[section])[key]


def _source(given: Given) -> str:
    return given.shown if given.origin in (given.shown, FLAG) else f"{given.origin!r}: {given.shown!r}"


def _hint(name: str, known: Iterable[str]) -> str:
    known = list(known)
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
        lines += [f"# {f.metadata['told']}{options}", f"# {f.name} = {_toml(f.default)}"]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    return json.dumps(value)  # JSON and TOML are the same for strings, numbers and booleans
