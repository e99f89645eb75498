"""Renderers, which animate a portrait. Each has a folder; renderers do not import each other.

The `__init__` of a folder declares the renderer as SPEC and does not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from facepipe.errors import UsageError
from facepipe.renderers import avatar, bilayer, compact, imf, mesh, pirender
from facepipe.rendering.spec import NETWORK, OpenRenderer, PrepareSource, RendererSpec, SourceKind

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.rendering.source import Source, SourceFiles
    from facepipe.rendering.spec import FrameRenderer, PreparedTensors

RENDERERS: Mapping[str, RendererSpec] = {
    spec.name: spec for spec in (compact.SPEC, mesh.SPEC, pirender.SPEC, bilayer.SPEC, imf.SPEC, avatar.SPEC)
}
PICTURE_RENDERERS = {name: spec for name, spec in RENDERERS.items() if spec.source == SourceKind.PICTURE}
"""Those whose results are compared with pictures of their source."""


def check_of_pictures(name: str) -> None:
    """Raise UsageError for a renderer that does not animate pictures."""
    if RENDERERS[name].source != SourceKind.PICTURE:
        raise UsageError(
            f"the renderer {name} animates no pictures, which this command needs; expected --renderer with one of "
            f"{', '.join(PICTURE_RENDERERS)}"
        )


def open_renderer(
    name: str,
    weights: Mapping[str, Path],
    source: Source,
    *,
    prepared: PreparedTensors | None = None,
    compiled: bool = False,
) -> FrameRenderer:
    """Open a renderer for a source, and its prior if it has one.

    Args:
        name: A key of RENDERERS.
        weights: Files by the names in the spec's `files`.
        source: The portrait, with its coefficients in the renderer's space.
        prepared: The result of `prepare_source` for this source; if None, it is computed here.
        compiled: Whether torch compiles the network first.
    """
    opening: OpenRenderer = resolve_name(RENDERERS[name].open)
    prior = _open_prior(name, weights, source)
    return opening(weights, source, prior=prior, prepared=prepared, compiled=compiled)


def prepare_source(name: str, weights: Mapping[str, Path], source: Source) -> PreparedTensors:
    """Compute what a renderer needs once per source. Call it only if its spec declares `prepare`."""
    preparing: PrepareSource = resolve_name(RENDERERS[name].prepare)
    return preparing(weights, source, prior=_open_prior(name, weights, source))


def _open_prior(name: str, weights: Mapping[str, Path], source: Source) -> Any:
    """Open the prior of a renderer for a source; None if it has none."""
    prior = RENDERERS[name].prior
    return resolve_name(RENDERERS[prior].open_prior)(weights, source) if prior else None


def open_for(name: str, weights: Mapping[str, Path], files: SourceFiles, *, compiled: bool = False) -> FrameRenderer:
    """Open a renderer for a source in files of finished stages. See `open_renderer` for the other parameters."""
    # Imported here because the command line imports RENDERERS and must start without torch.
    from safetensors.torch import load_file

    source = files.load(RENDERERS[name].motion_space)
    prepared = load_file(files.prepared) if files.prepared else None
    return open_renderer(name, weights, source, prepared=prepared, compiled=compiled)


def is_mixed(name: str, weights: Mapping[str, Path]) -> bool:
    """Return whether frames of a renderer show the portrait's background in the colours of transparent pixels."""
    # Imported here because the command line imports RENDERERS and reads no weights.
    from facepipe.weights.kind import kind_of

    kinds = RENDERERS[name].mixed_kinds
    return bool(kinds) and kind_of(weights[NETWORK]) in kinds


__all__ = [
    "PICTURE_RENDERERS",
    "RENDERERS",
    "check_of_pictures",
    "is_mixed",
    "open_for",
    "open_renderer",
    "prepare_source",
]
