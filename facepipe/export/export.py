"""The job of `facepipe export`: a source becomes the folder of an avatar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from facepipe.engine import Job
from facepipe.engine.events import Result
from facepipe.export.checking import Check, checked
from facepipe.export.description import described, texts, texture_file
from facepipe.export.folder import TEXTURE, check_folder, write_folder
from facepipe.export.head import LOADERS, Head, check_network, kind_of_network
from facepipe.export.models import FILES, Precision, check_packages, model_of
from facepipe.face.model import load_face_model
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import path_of, perception_weights
from facepipe.pipeline.precheck import all_of, check_work_folder, inspect
from facepipe.pipeline.rendering import Scene, prepare_source, renderer_weights, source_files
from facepipe.pipeline.sources import fit_source
from facepipe.renderers import RENDERERS
from facepipe.rendering.spec import NETWORK


@dataclass(frozen=True)
class Exported:
    """The result of an export."""

    folder: Path
    checks: list[Check]
    changed: bool


def export(job: Job, source: Path, out: Path, options: Options, precisions: Sequence[Precision]) -> Exported:
    """Make the avatar of a source. Everything is checked before the folder is written."""
    check_packages()
    medium, perception, rendering, *_ = all_of(
        [
            lambda: inspect(source, options.limits),
            lambda: perception_weights(options),
            lambda: renderer_weights(options),
            partial(check_folder, out, overwrite=options.overwrite),
            lambda: check_work_folder(job),
        ]
    )
    weights = {**perception, **rendering}
    network = weights[NETWORK].path
    check_network(network, options.weights)
    fitted = fit_source(job, medium, options, weights)
    scene = Scene(medium, fitted, None, None, options, weights)
    prepared = prepare_source(job, scene)
    assert prepared is not None
    files = source_files(scene, prepared)
    loaded = files.load(RENDERERS[options.renderer].motion_space)
    tensors = load_file(path_of(prepared, "prepared.safetensors"))
    load = LOADERS[kind_of_network(network)]
    head = load(network, loaded, tensors, load_face_model(weights["face-model"].path))
    about = {
        "source": {"file": source.name, "sha256": job.workspace.digests.digest(source)},
        "weights": {options.weights if name == NETWORK else name: one.sha256 for name, one in rendering.items()},
    }
    made = write_avatar(head, out, precisions, about, overwrite=options.overwrite)
    job.emit(Result(path=str(out), changed=made.changed))
    return made


def write_avatar(
    head: Head, out: Path, precisions: Sequence[Precision], about: Mapping[str, Any], *, overwrite: bool
) -> Exported:
    """Make and check the models of a head, and write the folder."""
    models = {precision: model_of(head, precision) for precision in precisions}
    checks = checked(head, models)
    texture, ends = texture_file(head)
    files = {**{FILES[name]: model for name, model in models.items()}, TEXTURE: texture, **texts(precisions)}
    changed = write_folder(out, files, {**described(head, precisions, ends), **about}, overwrite=overwrite)
    return Exported(out, checks, changed)
