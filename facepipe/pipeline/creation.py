"""Avatars from portraits: the job of `avatar create`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from facepipe.creation import CODE_MAPPER, IMITATOR, MAPPER
from facepipe.engine import Artefact, Job, Output, Pending
from facepipe.engine.remark import remarks_in
from facepipe.errors import InputError, UsageError, WeightsError
from facepipe.media.files import check_input, check_output
from facepipe.pipeline.avatars import avatar_params
from facepipe.pipeline.delivery import check_destination, sidecar_of
from facepipe.pipeline.items import RESULT_SUFFIXES, Item, find_items, is_medium
from facepipe.pipeline.options import Options
from facepipe.pipeline.perception import (
    Made,
    Weights,
    compute_matte,
    creation_weight_names,
    crop_source,
    crop_weights,
    fit_track,
)
from facepipe.pipeline.precheck import all_of, check_work_folder, find_weights, inspect
from facepipe.pipeline.steps import Steps
from facepipe.spaces import linear478
from facepipe.stages import create, matte, portrait
from facepipe.weights import registered

FLAGS = {"stylized": "--stylized", "code": "--wplus"}
"""Options by role of the inputs beside the portrait."""
CROP_PIXELS = 256
"""Side of the crop that the stage writes; nothing is made of it."""


def find_portraits(inputs: Sequence[Path], out: Path) -> list[Item]:
    """Return one item for each portrait, with the folder of its results: `out`, or of several portraits OUT/NAME.

    Raises UsageError if `out` is the name of a file, or if two folders would be the same.
    """
    if len(inputs) != 1 or inputs[0].is_dir():
        return [replace(one, out=one.base) for one in find_items(inputs, out, is_medium, kinds="pictures or videos")]
    if out.is_file() or (out.suffix.lower() in RESULT_SUFFIXES and not out.is_dir()):
        raise UsageError(f"-o is {out}, the name of a file, but an avatar is several files; give a folder")
    return [Item(inputs[0], out, out)]


@dataclass
class Creating(Steps):
    """The creation of avatars. `further` are files by role in FLAGS."""

    def create(self, item: Item) -> list[Path]:
        """Make the avatar of a portrait and deliver its files."""
        medium = inspect(item.path, self.options.limits)
        outs = outs_of(item)
        self._check(item, outs)
        weights, name = self.weights, item.label
        cropped = crop_source(self.job, medium, replace(self.options, size_pixels=CROP_PIXELS), weights, f"crop {name}")
        picture: Output | Pending | Path = cropped.output("picture.png") if medium.kind == "video" else item.path
        given: dict[str, Any] = {"media": picture, "track": cropped.output("track.npz")}
        given |= {role: path for role, path in self.further.items() if role == "stylized"}
        cut = self.job.run(portrait.STAGE, given, portrait.Params(), label=f"portrait {name}", frames=1)
        image = cut.output("portrait.png")
        fitted = fit_track(self.job, cut, image, self.options, weights, f"fit {name}", frames=1)
        shown = compute_matte(self.job, image, matte.Params(), weights, f"matte {name}", frames=1)
        inputs: dict[str, Any] = {
            "picture": image,
            "track": cut.output("track.npz"),
            "matte": shown.output("matte.png"),
            "coefficients": fitted.coefficients.output("coefficients.npz"),
        }
        if "stylized" in self.further:
            inputs["stylized"] = cut.output("stylized.png")
        if "code" in self.further:
            inputs["code"] = self.further["code"]
        made = self.job.run(
            create.STAGE,
            inputs,
            _params(self.options, [cropped, shown]),
            weights={one: weights[one] for one in ("face-model", MAPPER, IMITATOR, CODE_MAPPER) if one in weights},
            label=f"create {name}",
            frames=1,
        )
        return self._deliver(item, outs, made, [cropped, cut, fitted.coefficients, shown, made])


def _params(options: Options, seen: Sequence[Made]) -> create.Params:
    """Return the parameters of the stage, with the remarks of earlier stages."""
    engine = avatar_params(options)
    found = [remark for made in seen if isinstance(made, Artefact) for remark in remarks_in(made.facts)]
    told = tuple((remark.code, remark.text) for remark in dict.fromkeys(found))
    return create.Params(engine.head, engine.engine, options.size_pixels, told)


def outs_of(item: Item) -> dict[Path, str]:
    """Return the files of an item's avatar by path."""
    return {item.base / name: name for name in create.FILES}


def creating(
    job: Job, options: Options, inputs: Sequence[Path], out: Path, further: dict[str, Path]
) -> tuple[Creating, list[Item]]:
    """Return the steps and the items of a job. Everything that can be checked before the work is. Raises FacepipeError.

    `options` are those of the request; the motion space is that of the mapper.
    """
    options = replace(options, space=linear478.SPACE.name, smoothing="none")
    items, weights, *_ = all_of(
        [
            lambda: _items(job, options, inputs, out, further),
            lambda: _weights(options, code="code" in further),
            lambda: crop_weights(options),
            lambda: _check_further(options, further),
            lambda: avatar_params(options),
            lambda: check_work_folder(job),
        ]
    )
    return Creating(job, options, weights, further=further), items


def _items(job: Job, options: Options, inputs: Sequence[Path], out: Path, further: dict[str, Path]) -> list[Item]:
    items = find_portraits(inputs, out)
    if further and len(items) > 1:
        given = " and ".join(FLAGS[role] for role in further)
        raise UsageError(f"{given} belongs to one portrait, but there are {len(items)}; run them one by one")
    all_of([partial(check_output, item.base / create.FILES[0], makes_folder=True) for item in items])
    if len(items) == 1:
        sidecar, digests = sidecar_of(next(iter(outs_of(items[0])))), job.workspace.digests
        check = partial(check_destination, digests=digests, overwrite=options.overwrite, described_by=sidecar)
        all_of([partial(check, path) for path in outs_of(items[0])])
    return items


def _weights(options: Options, *, code: bool) -> Weights:
    if code and CODE_MAPPER not in registered():
        raise WeightsError(
            f"--wplus needs a mapper of W+ codes, and no weight {CODE_MAPPER} is registered: train one by "
            "`facepipe train code-mapper` and add it (docs/training.md), or leave --wplus out"
        )
    return find_weights(*creation_weight_names(options, code=code))


def _check_further(options: Options, further: dict[str, Path]) -> None:
    if "stylized" in further and inspect(further["stylized"], options.limits).kind != "image":
        raise InputError(f"{further['stylized']}: is a video, expected a picture for --stylized")
    if "code" in further:
        check_input(further["code"])
        create.load_code(further["code"])
