"""Renderers: each draws a portrait in any pose and expression. One folder each; they never import each other.

A renderer's folder declares it as SPEC in its own `__init__`, which imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from facepipe.renderers import compact, mesh, pirender
from facepipe.rendering.spec import OpenRenderer, RendererSpec

if TYPE_CHECKING:
    from pathlib import Path

    from facepipe.rendering.source import Source, SourceFiles
    from facepipe.rendering.spec import FrameRenderer, Prepared

RENDERERS: Mapping[str, RendererSpec] = {spec.name: spec for spec in (compact.SPEC, mesh.SPEC, pirender.SPEC)}


def open_renderer(
    name: str,
    weights: Mapping[str, Path],
    source: Source,
    *,
    prepared: Prepared | None = None,
    compiled: bool = False,
) -> FrameRenderer:
    """Open a renderer for a source, with the renderer that it builds on.

    Args:
        name: A key of RENDERERS.
        weights: Files by the names in the spec's `files`.
        source: The portrait, with its coefficients in the renderer's space.
        prepared: What `RendererSpec.compute` returned for this source; None computes it here.
        compiled: Whether torch compiles the network first.
    """
    spec = RENDERERS[name]
    prior = resolve_name(RENDERERS[spec.prior].open_prior)(weights, source) if spec.prior else None
    opening: OpenRenderer = resolve_name(spec.open)
    return opening(weights, source, prior=prior, prepared=prepared, compiled=compiled)


def open_for(name: str, weights: Mapping[str, Path], files: SourceFiles, *, compiled: bool = False) -> FrameRenderer:
    """Open a renderer for the source that lies in the files of finished stages. The parameters are as above."""
    # Here, not above: the command line reads RENDERERS and must not wait for torch.
    from safetensors.torch import load_file

    source = files.load(RENDERERS[name].motion_space)
    prepared = load_file(files.prepared) if files.prepared else None
    return open_renderer(name, weights, source, prepared=prepared, compiled=compiled)


__all__ = ["RENDERERS", "open_for", "open_renderer"]
