"""Edits of one portrait: by sliders, from another picture, or randomly sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from facepipe.engine import Artefact, Job
from facepipe.errors import UsageError
from facepipe.motion.sliders import Draw
from facepipe.pipeline.delivery import check_apart, check_destination, deliver
from facepipe.pipeline.options import Options
from facepipe.pipeline.precheck import all_of, inspect
from facepipe.pipeline.reenact import Reenactment, about, lay_out, prepare, reenact, sign_result
from facepipe.pipeline.sources import fit_source


def prepare_edits(
    job: Job, source: Path, face: Path | None, outs: Sequence[Path], options: Options
) -> list[Reenactment]:
    """Check everything that can be checked before the work. `face` is the picture with expression and pose, if any.

    With several `outs`, each is one random sample, and the contact sheet shows all of them. Raises one error that lists
    all faults.
    """
    sheet = options.sheet
    if face and face.is_file() and inspect(face, options.limits, motion=options.space).kind != "image":
        raise UsageError(
            f"--from-image is {face}, expected a picture; for videos and motion files use `facepipe reenact`"
        )
    if len(outs) > 1 and sheet:
        # The sheet of all results is made at the end and does not belong to a single result.
        if sheet.suffix.lower() != ".png":
            raise UsageError(f"--sheet is {sheet}, but the contact sheet is a PNG; use a name ending in .png")
        check_apart([sheet], [source, *([face] if face else [])])
        check_destination(sheet, job.workspace.digests, overwrite=options.overwrite)
    works = all_of(
        [
            partial(prepare, job, source, face, out, _share(options, number, len(outs)))
            for number, out in enumerate(outs, 1)
        ]
    )
    if len(works) > 1 and sheet:
        works[0] = replace(works[0], options=replace(works[0].options, sheet=sheet))
    return list(works)


def _share(options: Options, number: int, count: int) -> Options:
    """Return the options of one of several random samples."""
    if count == 1 or options.edit.draw is None:
        return options
    draw = Draw(options.edit.draw.seed, first=number)
    return replace(options, sheet=None, edit=replace(options.edit, draw=draw))


def make_edits(job: Job, works: Sequence[Reenactment]) -> None:
    """Make and deliver all edits. Of several, the contact sheet in the options of the first shows all."""
    if len(works) == 1:
        reenact(job, works[0])
        return
    first, sheet = works[0], works[0].options.sheet
    made = [reenact(job, replace(work, options=replace(work.options, sheet=None))) for work in works]
    if sheet is None:
        return
    source = fit_source(job, first.source, first.options, first.weights)
    labels = [f"{number}" for number in range(1, len(made) + 1)]
    contact_sheet = lay_out(job, first.options, made, source.crop, labels)
    contact_sheet = sign_result(job, first, contact_sheet, "sign contact sheet")
    if job.dry_run or not isinstance(contact_sheet, Artefact):
        return
    parts = [one for one in (source.crop, *made, contact_sheet) if isinstance(one, Artefact)]
    outs = {sheet: contact_sheet.sole_output()}
    deliver(job, outs, about(job, first, parts), overwrite=first.options.overwrite)
