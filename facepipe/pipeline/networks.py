"""Networks of renderers: which renderer one belongs to, and the inputs that it uses."""

from __future__ import annotations

from facepipe.errors import UsageError
from facepipe.pipeline.options import Options
from facepipe.renderers import RENDERERS
from facepipe.weights import WeightFile, find
from facepipe.weights.kind import kind_of


def renderer_for(network: str, space: str, *, default: str) -> str:
    """Return the renderer that a network (a registry name, or "") needs, or that renders from a space ("auto": any).

    Raises UsageError if the network belongs to no renderer, WeightsError if it is not registered.
    """
    if network:
        return _renderer_of(network)
    if space in ("auto", RENDERERS[default].space):
        return default
    return next((name for name, spec in RENDERERS.items() if spec.space == space), default)


def _renderer_of(network: str) -> str:
    """Return the renderer of a network: by its name, or by the kind that its file states."""
    for name, spec in RENDERERS.items():
        if spec.network == network:
            return name
    kind = kind_of(find(network).path)
    for name, spec in RENDERERS.items():
        if kind and kind in (name, spec.network):
            return name
    found = f"a network of kind {kind}" if kind else "not the network of a renderer"
    raise UsageError(f"--weights is {network}, {found}; give the registry name of a renderer's network")


def check_inputs(network: WeightFile, options: Options) -> None:
    """Raise UsageError for pictures or landmarks that the network of a job does not use."""
    spec, name = RENDERERS[options.renderer], network.name
    if kind_of(network.path) not in spec.simple_kinds:
        return
    other = f"; leave it out, or choose another network by --weights ({', '.join(spec.official)})"
    if options.source_picture or options.source_frames > 1:
        given = "--source-picture" if options.source_picture else f"--source-frames {options.source_frames}"
        raise UsageError(f"{given} is given, but the network {name} uses one picture of the source{other}")
    if options.retargeting.keypoints == "driver":
        raise UsageError(f"--keypoints is driver, but the network {name} does not use the driver's landmarks{other}")
