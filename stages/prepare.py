"""Stage `prepare`: compute the tensors that a renderer needs once per source, independent of the motion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from facepipe.engine.stage import Stage, StageRun


@dataclass(frozen=True)
class Params:
    """Parameters of the stage."""

    renderer: str = ""


def prepare(run: StageRun[Params]) -> Mapping[str, Any]:
    """Compute and write the renderer's tensors for the source."""
    # Imported here, so that a finished job does not wait for torch.
    from safetensors.torch import save_file

    from facepipe.renderers import RENDERERS, prepare_source
    from facepipe.rendering.source import SourceFiles

    spec = RENDERERS[run.params.renderer]
    matte = run.input("matte") if "matte" in run.inputs else None
    files = SourceFiles(run.input("picture"), run.input("track"), run.input("source"), matte=matte)
    source = files.load(spec.motion_space)
    tensors = {
        name: tensor.cpu().contiguous() for name, tensor in prepare_source(spec.name, run.weights, source).items()
    }
    save_file(tensors, run.output / "prepared.safetensors")
    run.advance(1)
    return {"tensors": len(tensors), "bytes": sum(tensor.nbytes for tensor in tensors.values())}


STAGE = Stage(
    name="prepare",
    version=1,
    inputs=("picture", "track", "source", "matte?"),
    outputs=("prepared.safetensors",),
    params=Params,
    function=prepare,
    weights=("face-model?", "network?"),
)
