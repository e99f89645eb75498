"""The registries of weights: name, file, digest, size, licence and source of each.

There are two in the same format: `registry.toml` in the folder of the embedded weights (read-only) and `registry.toml`
in the user's folder, which `facepipe weights add` writes.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from facepipe.errors import WeightsError
from facepipe.weights.third_party import THIRD_PARTY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REGISTRY = "registry.toml"
OPTIONAL = ("space", "url", "page")
#: Names of keys and values in registries of earlier versions.
OLD_KEYS = {"basis": "space"}
OLD_SPACES = {"facepipe": "linear478"}


@dataclass(frozen=True)
class Weight:
    """An entry of a registry."""

    name: str
    file: str
    """File name without a folder."""
    sha256: str
    """64 hex digits."""
    bytes: int
    licence: str
    source: str
    space: str = ""
    """The motion space that the weight belongs to (linear478 or bfm); empty for other weights."""
    url: str = ""
    """URL for `fetch`; empty for files that ship with facepipe or were added by the user."""
    page: str = ""
    """The page where a third-party weight is published. Not a `url`, as the stored file may be a conversion."""


def embedded_folder() -> Path:
    """Return the folder of the weights that ship with facepipe: inside the package, or in a checkout beside it."""
    packaged = Path(__file__).with_name("embedded")
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "weights"


def user_folder() -> Path:
    """Return the folder of the user's weights: $FACEPIPE_WEIGHTS, or the platform's folder for user data."""
    if chosen := os.environ.get("FACEPIPE_WEIGHTS"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return base / "facepipe" / "weights"


def is_there(path: Path) -> bool:
    """Return True if `path` is a file visible to this user; False if a parent folder is not readable (sudo's HOME)."""
    try:
        return path.is_file()
    except OSError:
        return False


def read_registry(path: Path) -> dict[str, Weight]:
    """Return the entries of a registry file by name, in file order; empty if the file does not exist.

    Raises WeightsError, naming file and entry, if it is invalid.
    """
    if not is_there(path):
        return {}
    try:
        rows = tomllib.loads(path.read_text("utf-8-sig")).get("weight", [])
        weights = [_entry(row) for row in rows]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path} is not a valid weight registry: {error}; correct it, or delete it and add the weights again"
        ) from error
    if len(by_name := {weight.name: weight for weight in weights}) < len(weights):
        raise WeightsError(f"{path} registers the same name twice: delete one of the two entries")
    return by_name


def _entry(row: Mapping[str, object]) -> Weight:
    """Validate an entry. Raises TypeError or ValueError with the reason."""
    row = {OLD_KEYS.get(key, key): value for key, value in row.items()}
    name = row.get("name")
    unknown = sorted(set(row) - set(Weight.__dataclass_fields__))
    if unknown:
        raise ValueError(f"entry {name!r} has the unknown key {unknown[0]!r}")
    for key, value in row.items():
        expected = int if key == "bytes" else str
        if type(value) is not expected:
            raise TypeError(f"{key} of entry {name!r} is {value!r}, expected {expected.__name__}")
    try:
        weight = Weight(**row)  # type: ignore[arg-type]
    except TypeError:
        missing = [key for key in Weight.__dataclass_fields__ if key not in row and key not in OPTIONAL]
        raise ValueError(f"entry {name!r} lacks {', '.join(missing)}") from None
    if len(weight.sha256) != 64 or not set(weight.sha256) <= set("0123456789abcdef"):
        raise ValueError(f"sha256 of entry {name!r} is {weight.sha256!r}, expected 64 lower-case hex digits")
    if weight.file in ("", ".", "..", REGISTRY) or set(weight.file) & set("/\\:"):
        raise ValueError(f"file of entry {name!r} is {weight.file!r}, expected a file name without a folder")
    weight = replace(weight, space=OLD_SPACES.get(weight.space, weight.space))
    if weight.bytes <= 0:
        raise ValueError(f"bytes of entry {name!r} is {weight.bytes}, expected a positive number")
    return weight


def registered() -> dict[str, Weight]:
    """Return all registered weights by name: the embedded ones, then the user's, which cannot override the former."""
    embedded = read_registry(embedded_folder() / REGISTRY)
    own = read_registry(user_folder() / REGISTRY)
    return {**embedded, **{name: weight for name, weight in own.items() if name not in embedded}}


def lookup(name: str) -> Weight:
    """Return the entry of a weight. Raises WeightsError, with a remedy, if it is not registered."""
    weights = registered()
    if name not in weights and name in THIRD_PARTY:
        raise WeightsError(f"the weight {name} ({THIRD_PARTY[name].file}) is missing: {THIRD_PARTY[name].remedy(name)}")
    if name not in weights:
        known = ", ".join(weights) or "none"
        raise WeightsError(
            f"no weight is named {name!r} (registered: {known}): facepipe weights add FILE --name {name}"
        )
    return weights[name]


def write_registry(weights: Mapping[str, Weight]) -> None:
    """Replace the user's registry atomically."""
    rows = ["# Written by `facepipe weights add`.\n"]
    for weight in weights.values():
        lines = [f"{key} = {_toml(value)}\n" for key, value in asdict(weight).items() if value or key not in OPTIONAL]
        rows.append("\n[[weight]]\n" + "".join(lines))
    path = user_folder() / REGISTRY
    draft = path.with_name(f"{REGISTRY}.{os.getpid()}.draft")
    draft.write_text("".join(rows), "utf-8")
    draft.replace(path)


def _toml(value: str | int) -> str:
    """Format a value as TOML: like JSON, except for DEL, the one control character that JSON does not escape."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
