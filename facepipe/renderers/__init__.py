"""Renderers: each draws a portrait in any pose and expression. One folder each; they never import each other."""

from __future__ import annotations

from facepipe.renderers.mesh.renderer import MeshRenderer
from facepipe.renderers.portrait import Portrait

RENDERERS = {"mesh": MeshRenderer}

__all__ = ["RENDERERS", "Portrait"]
