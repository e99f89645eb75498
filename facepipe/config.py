"""Settings: what they are, where they come from, and which source won.

Flags win over the environment (FACEPIPE_<SECTION>_<KEY>), that over the project's facepipe.toml, that over the user's
file, that over the defaults below. An unknown key or a value of a wrong type is refused with its source and name.
"""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

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
    """Declare a setting: its default, what it is for, and the bounds it must keep (both allowed values)."""
    declaration: V = field(default=default, metadata={"told": told, "least": least, "most": most})
    return declaration


@dataclass(frozen=True)
class WorkSettings:
    """Where work files go."""

    folder: str = setting(".facepipe", "folder of the work files; a relative one is taken from the current folder")
    segment_frames: int = setting(125, "frames in a rendered segment: what a kill costs at most", least=1)
    stale_seconds: float = setting(120.0, "after this long a silent claim of another machine is taken over", least=1.0)


@dataclass(frozen=True)
class MediaSettings:
    """What is read, and what is refused."""

    max_pixels: int = setting(67_108_864, "largest picture or frame that is decoded, in pixels", least=1)
    max_duration_seconds: float = setting(7200.0, "longest video or sound that is decoded", least=0)


@dataclass(frozen=True)
class OutputSettings:
    """How results are written."""

    codec: str = setting("h264", "video codec")
    quality: int = setting(75, "0 is the smallest file, 100 the best picture", least=0, most=100)
    size_pixels: int = setting(256, "width and height of the rendered face", least=64, most=2048)
    fit: Literal["shortest", "driver", "pad"] = setting("driver", "whose length counts where sound and motion differ")


@dataclass(frozen=True)
class FaceSettings:
    """Which face is meant, and what happens without one."""

    face: str = setting("largest", "which face of the source: largest, left, right, or a number from 1")
    driver_face: str = setting("largest", "which face of the driver, likewise")
    no_face: Literal["fail", "hold", "source", "cut"] = setting("hold", "what a frame without a face becomes")
    landmarker: Literal["embedded", "face-alignment"] = setting("embedded", "what finds the landmarks")
    space: str = setting("auto", "motion space; auto takes the renderer's")


@dataclass(frozen=True)
class MotionSettings:
    """How the driver's motion is carried over."""

    motion: Literal["relative", "absolute"] = setting("relative", "motion since the reference frame, or as it stands")
    strength: float = setting(1.0, "factor on the motion", least=0, most=3)
    only: Literal["all", "expression", "pose"] = setting("all", "which part of the motion is used")
    scale: Literal["source", "adapt", "driver"] = setting("adapt", "whose size and place the head takes")
    reference: str = setting("best", "reference frame of relative motion: best, first, or a number from 0")
    smoothing: Literal["none", "one-euro", "savitzky-golay"] = setting(
        "savitzky-golay", "smoothing of the driver's motion; default off in the space bfm"
    )


@dataclass(frozen=True)
class RenderSettings:
    """What draws the frames."""

    renderer: str = setting("compact", "renderer that draws the frames; `facepipe reenact --help` lists them")
    weights: str = setting("", "registry name of the network that draws, where not the renderer's own")
    compile: bool = setting(False, "have torch compile the network first: on a GPU, for long clips; results stay done")


@dataclass(frozen=True)
class ProvenanceSettings:
    """Who vouches for results."""

    certificate: str = setting("", "certificate chain (PEM) with which results are signed (C2PA); needs the key")
    key: str = setting("", "private key (PEM) that belongs to the certificate")
    consent: str = setting("", "file with the consent of the person shown; its digest goes into the record")
    require_consent: bool = setting(False, "refuse what comes without consent")


@dataclass(frozen=True)
class Settings:
    """All settings, checked, and the source of each."""

    work: WorkSettings = WorkSettings()
    media: MediaSettings = MediaSettings()
    output: OutputSettings = OutputSettings()
    face: FaceSettings = FaceSettings()
    motion: MotionSettings = MotionSettings()
    render: RenderSettings = RenderSettings()
    provenance: ProvenanceSettings = ProvenanceSettings()
    origins: Mapping[str, str] = field(default_factory=dict, hash=False)
    """By "section.key", for what is not a default."""

    def origin(self, name: str) -> str:
        """Return where the value of "section.key" comes from: default, a file, an environment variable or a flag."""
        return self.origins.get(name, DEFAULT)

    def rows(self) -> list[tuple[str, Any, str]]:
        """Return (name, value, origin) of every setting, in the order of declaration."""
        return [(name, getattr(getattr(self, section), f.name), self.origin(name)) for name, section, f in declared()]


SECTIONS: Mapping[str, type] = {
    f.name: type(f.default) for f in fields(Settings) if f.name != "origins" and f.default is not None
}


def declared() -> Iterator[tuple[str, str, Field[Any]]]:
    """Yield ("section.key", section, field) of every setting."""
    for section, section_type in SECTIONS.items():
        for f in fields(section_type):
            yield f"{section}.{f.name}", section, f


class Bounds(NamedTuple):
    """The smallest and the largest allowed value; None where there is no bound."""

    minimum: float | None
    maximum: float | None


def bounds_of(name: str) -> Bounds:
    """Return the bounds of the setting "section.key"."""
    metadata = next(f.metadata for other, _, f in declared() if other == name)
    return Bounds(metadata["least"], metadata["most"])


def load_settings(
    *,
    flags: Mapping[str, Any] | None = None,
    flag_names: Mapping[str, str] | None = None,
    folder: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings that hold in a folder (default: the current one).

    `flags` maps "section.key" to values; None stands for a flag that was not given. `flag_names` says how messages call
    them. Raises UsageError, naming source,
    key and value, for anything unknown, of a wrong type or out of bounds.
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
    """Return the place of the user's settings: FACEPIPE_CONFIG, else the customary folder of the system."""
    if named := environ.get("FACEPIPE_CONFIG"):
        path = Path(named).expanduser()
        if not path.is_file():
            raise UsageError(f"FACEPIPE_CONFIG names {named!r}, which is no file; correct or unset it")
        return path
    if sys.platform == "win32":
        base = environ.get("APPDATA")
    else:
        home = environ.get("HOME")
        base = environ.get("XDG_CONFIG_HOME") or (home and str(Path(home) / ".config"))
    return Path(base) / "facepipe" / PROJECT_FILE if base else None


def project_file(folder: Path) -> Path | None:
    """Return the nearest facepipe.toml in a folder or above it."""
    folder = folder.absolute()
    return next((path for above in (folder, *folder.parents) if _is_there(path := above / PROJECT_FILE)), None)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in a folder that is not ours to look into, as a home that sudo has kept
        return False


@dataclass(frozen=True)
class Given:
    """A value as a source gives it, not yet checked."""

    name: str
    """"section.key"."""
    value: Any
    origin: str
    """What `Settings.origin` tells."""
    shown: str
    """The name as it is written in the source."""


def _read_file(path: Path) -> list[Given]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} cannot be read as TOML ({error}); correct it") from None
    given = []
    for section, values in content.items():
        if section not in SECTIONS:
            raise UsageError(f"{str(path)!r}: {section!r} is no section{hint(section, SECTIONS)}")
        if not isinstance(values, dict):
            raise UsageError(f"{str(path)!r}: {section!r} is a section; write [{section}] and its keys below")
        given += [Given(f"{section}.{key}", value, str(path), f"{section}.{key}") for key, value in values.items()]
    return given


def _read_environment(environ: Mapping[str, str]) -> list[Given]:
    """Return the settings among the environment variables; those of others' that merely begin alike stay alone."""
    names = {variable_of(name): name for name, _, _ in declared()}
    given = []
    for variable, text in environ.items():
        if variable in names:
            given.append(Given(names[variable], _from_text(names[variable], text), variable, variable))
        elif variable.startswith(tuple(f"{PREFIX}{section.upper()}_" for section in SECTIONS)):
            raise UsageError(f"{variable} is no setting{hint(variable, names)}")
    return given


def variable_of(name: str) -> str:
    """Return the environment variable of "section.key"."""
    return PREFIX + name.replace(".", "_").upper()


def _from_text(name: str, text: str) -> Any:
    """Read an environment variable as the type of its setting; what does not fit stays text and is refused later."""
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
            raise UsageError(f"{_source(given)} is no setting{hint(given.name, known)}")
        section, key = given.name.split(".")
        new = replace(getattr(settings, section), **{key: _checked(given)})
        settings = replace(settings, **{section: new, "origins": {**settings.origins, given.name: given.origin}})
    return settings


def _checked(given: Given) -> Any:
    """Return a value in the type of its setting; a whole number will do where a float is asked."""
    wanted, value = _type_of(given.name), given.value
    if wanted is float and type(value) is int:
        value = float(value)
    options = get_args(wanted) if get_origin(wanted) is Literal else ()
    if value not in options if options else type(value) is not wanted:
        expected = "one of " + ", ".join(options) if options else TYPE_WORDS[wanted]
        raise UsageError(f"{_source(given)} is {value!r}; expected {expected}")
    least, most = bounds_of(given.name)
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


def hint(name: str, known: Iterable[str]) -> str:
    """Return what to say after an unknown name: the nearest known one, or all of them."""
    known = list(known)
    # The beginning of a name is nearer to what was meant than another of the same length.
    close = [other for other in known if other.startswith(name)] or difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(sorted(known))}"


def example_toml() -> str:
    """Return the text of a facepipe.toml in which every setting stands, commented out, with its default."""
    lines = ["# Settings of this project. Every line shows the default; take away the # to change one."]
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
    return json.dumps(value)  # the same text for what settings hold: texts, numbers, true and false
