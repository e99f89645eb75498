"""Completion of values in the shell."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from facepipe.motion.sliders import SLIDERS
from facepipe.renderers import PICTURE_RENDERERS, RENDERERS
from facepipe.requests import REQUESTS
from facepipe.requests.declaration import Declared
from facepipe.spaces import SPACES

Complete = Callable[[str], list[str]]

PEOPLE = ("largest", "left", "right")
CODECS = ("h264", "h265", "vp9")


def _weights() -> Iterable[str]:
    """Return the registered networks of renderers, and the weights that the user added."""
    from facepipe.weights import embedded_folder, registered

    shipped = {path.stem for path in embedded_folder().glob("*.safetensors")}
    networks = {spec.network for spec in RENDERERS.values()}
    return [name for name in registered() if name in networks or name not in shipped]


def complete_weights(incomplete: str) -> list[str]:
    """Complete the registry name of any weight."""
    from facepipe.weights import registered

    return _matching(registered(), incomplete)


VALUES: dict[str, Callable[[], Iterable[str]]] = {
    "codec": lambda: CODECS,
    "renderer": lambda: RENDERERS,
    "picture_renderer": lambda: PICTURE_RENDERERS,
    "space": lambda: ("auto", *SPACES),
    "motion_space": lambda: SPACES,
    "weights": _weights,
    "face": lambda: PEOPLE,
    "driver_face": lambda: PEOPLE,
    "source_frame": lambda: ("best",),
    "reference": lambda: ("best", "first"),
    "sweep": lambda: [f"{name}=" for name in SLIDERS],
    "command": lambda: REQUESTS,
    "pair": lambda: ("list", "product", "zip"),
    "engine": lambda: ("loky", "dask", "ray"),
    "keep": lambda: ("none", "results", "coefficients", "all"),
    "task": lambda: ("same", "cross", "audio", "codec"),
}


def completion_of(field: Declared) -> Complete | None:
    """Return the completion of an option; None leaves it to the shell, which completes names of files."""
    if field.name == "preset":
        return complete_presets
    if field.name in VALUES:
        return completing(field.name)
    return (lambda incomplete: _matching(field.choices, incomplete)) if field.choices else None


def completing(name: str) -> Complete:
    """Return the completion of an entry of VALUES."""
    return lambda incomplete: _matching(VALUES[name](), incomplete)


def complete_changes(incomplete: str) -> list[str]:
    """Return the changes NAME=VALUE of avatars that begin as given; the names alone until one is complete."""
    from facepipe.avatar.assets import ASSETS
    from facepipe.avatar.colours import PALETTES
    from facepipe.avatar.sliders import NEUTRAL

    values = {name: [*ASSETS.get(name, ()), *PALETTES[name].swatches] for name in PALETTES}
    values |= {type_: list(options) for type_, options in ASSETS.items() if type_ not in values}
    name, equals, _ = incomplete.partition("=")
    if not equals:
        return _matching([f"{one}=" for one in (*NEUTRAL, *values)], incomplete)
    return _matching([f"{name}={one}" for one in dict.fromkeys(("neutral", *values.get(name, ())))], incomplete)


def complete_units(incomplete: str) -> list[str]:
    """Return the face units that begin as given."""
    from facepipe.avatar.units import UNITS

    return _matching([f"{name}=" for name in UNITS], incomplete)


def complete_presets(incomplete: str) -> list[str]:
    """Return folders and presets (.json) that begin as given; a sidecar is none."""
    folder = Path(incomplete).parent if not incomplete.endswith("/") else Path(incomplete)
    return [text for path in sorted(folder.glob("*")) if (text := _preset(path)).startswith(incomplete) and text]


def _preset(path: Path) -> str:
    if path.is_dir():
        return f"{path}/"
    return str(path) if path.suffix == ".json" and "." not in path.stem else ""


def _matching(values: Iterable[str], incomplete: str) -> list[str]:
    return [value for value in values if value.startswith(incomplete)]
