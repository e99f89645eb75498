"""The commands of facepipe as the command set of a batch. A row is converted to the request of its command."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path, PurePath
from typing import Any

from facepipe.batch.command_set import CommandSet, RunJob
from facepipe.batch.form import Forms
from facepipe.batch.item import Item
from facepipe.batch.template import stem_and_suffix
from facepipe.device import set_threads
from facepipe.engine import Job, Workspace
from facepipe.errors import FacepipeError, PrecheckError
from facepipe.media.files import check_input, make_parent
from facepipe.media.limits import MediaLimits
from facepipe.motion.sliders import SLIDERS
from facepipe.pipeline.delivery import check_destination, sidecar_of
from facepipe.pipeline.precheck import check_kind, check_reference, inspect
from facepipe.rendering.background_rule import TRANSPARENT
from facepipe.requests import Request
from facepipe.requests.cells import cell_of
from facepipe.requests.columns import Columns, cell_value, files_read, kinds_read, request_of
from facepipe.settings import Settings

EXTENSIONS = {"coefficients": "npz", "motion": "npz", "features": "npz", "blendshapes": "csv"}
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MACHINE_FAULTS = ("weights", "encoder", "disk")
HARMLESS = ("work.folder", "work.stale_seconds", "render.compile")
"""Settings that do not change results."""


@dataclass(frozen=True)
class Commands(CommandSet):
    """The command set of `facepipe batch`: all commands that make results from files."""

    of_run: Settings
    """The settings of the whole run, on all machines."""

    def __getstate__(self) -> dict[str, Any]:
        """Return the settings; caches stay in this process."""
        return {"of_run": self.of_run}

    def extension(self, item: Item) -> str:
        """Return the default suffix of an item's result, without the dot."""
        given = item.options.get("background") or self.of_run.render.background
        video = "webm" if given == TRANSPARENT else "mp4"
        if item.command == "edit":
            return video if {"sweep", "frames", "fps"} & set(item.options) else "png"
        files = list(item.inputs.values())
        shown = {"crop": files[0], "matte": files[0], "reenact": files[-1]}.get(item.command, "")
        still = stem_and_suffix(shown)[1].lower() in PICTURES
        if item.command == "matte" and not still and self._has_alpha(item):
            return "webm"
        return EXTENSIONS.get(item.command, "png" if still else video)

    def _has_alpha(self, item: Item) -> bool:
        """Return whether a row of `matte` asks for an alpha channel; a faulty cell is reported by `check`."""
        try:
            return cell_value("matte", "alpha", item.options.get("alpha", False)) is True
        except FacepipeError:
            return False

    def inputs(self, item: Item) -> Sequence[str]:
        """Return the paths that an item reads."""
        return files_read(item.command, item.inputs.values(), item.options)

    def results(self, item: Item) -> Sequence[str]:
        """Return the paths of the result and of all other files of the item, except sidecars."""
        form = self._forms.read(item).form
        return (item.output,) if isinstance(form, FacepipeError) else form.results(item)

    def check(self, item: Item) -> Mapping[str, str]:
        """Return the faults of an item's command and options by column."""
        read = self._forms.read(item)
        faults = dict(read.faults)
        for column, value in item.options.items() if item.command == "edit" else ():
            if column in SLIDERS and column not in faults:
                faults[column] = self._forms.slider_fault(column, float(str(value)))
        faults[""] = read.row_fault(item)
        return {column: fault for column, fault in faults.items() if fault}

    def accepted(self, item: Item) -> Sequence[str]:
        """Return the accepted kinds of each input, and the motion space and reference frame of a motion file.

        A row with another fault has no space.
        """
        form = self._forms.read(item).form
        space = "" if isinstance(form, FacepipeError) else form.space
        reference = str(item.options.get("reference", "")) if item.command == "reenact" and space else ""
        kinds = kinds_read(item.command, item.inputs, item.options)
        return [_accepted(one, space, reference if at == 1 else "") for at, one in enumerate(kinds)]

    def check_file(self, path: Path, accepted: str) -> None:
        """Raise InputError if a file is not readable, or not of an accepted kind."""
        if not accepted:
            check_input(path)
            return
        kinds, space, reference = json.loads(accepted)
        check_kind(path, kinds, space=space)
        if reference.isdecimal():
            check_reference(inspect(path, self._limits, motion=space), reference)

    def check_places(self, item: Item, folder: Path) -> list[FacepipeError]:
        """Return an error for each existing file that the item must not replace. Its digest is not checked."""
        overwrite = cell_of(item.command, "overwrite", item.options.get("overwrite", False)).likeness
        paths = [folder / path for path in self.results(item)]
        found: list[FacepipeError] = []
        for path in [] if overwrite else paths:
            own = sidecar_of(path)
            if path.is_file():
                sidecar = own if own.exists() else sidecar_of(paths[0])
                try:
                    check_destination(path, None, overwrite=False, described_by=sidecar)
                except FacepipeError as error:
                    found.append(error)
        return found

    @cached_property
    def _limits(self) -> MediaLimits:
        return MediaLimits(self.of_run.media.max_pixels, self.of_run.media.max_duration_seconds)

    def kind(self, item: Item) -> str:
        """Return command, codec and weights as text."""
        form = self._forms.read(item).form
        assert not isinstance(form, FacepipeError)
        return form.kind

    def check_machine(self, items: Sequence[Item], folder: Path) -> list[FacepipeError]:
        """Run each item as a dry run, and return the errors about weights, encoders and disks."""
        workspace = Workspace(Path(self.of_run.work.folder))
        faults: dict[str, FacepipeError] = {}
        with tempfile.TemporaryDirectory(prefix="facepipe-check-") as place:
            for item in items:
                nowhere = replace(item, output=str(Path(place) / f"result{PurePath(item.output).suffix}"))
                try:
                    prepared = self.request(nowhere, folder).prepare(self.of_run)
                    with Job(workspace, prepared.identity, dry_run=True) as job:
                        prepared.make(job)
                except FacepipeError as error:
                    found = error.errors if isinstance(error, PrecheckError) else (error,)
                    faults |= {str(one): one for one in found if one.failure_class in MACHINE_FAULTS}
        return list(faults.values())

    def settings(self, item: Item) -> str:
        """Return the settings that can change a result, as JSON."""
        del item
        return self._settings

    @cached_property
    def _settings(self) -> str:
        return json.dumps([(name, value) for name, value, _ in self.of_run.rows() if name not in HARMLESS])

    def program(self, item: Item) -> str:
        """Return the versions of stages and digests of weights that an item uses, as text."""
        form = self._forms.read(item).form
        return "" if isinstance(form, FacepipeError) else form.program

    @cached_property
    def _forms(self) -> Forms:
        return Forms(self.of_run)

    def prepare(self, threads: int) -> None:
        """Set the number of threads of numerical libraries."""
        set_threads(threads)

    def make(self, item: Item, folder: Path, run_job: RunJob) -> None:
        """Run the command of an item."""
        make_parent(folder / item.output)
        prepared = self.request(item, folder).prepare(self.of_run)

        def body(job: Job) -> None:
            prepared.make(job)

        run_job(prepared.identity, body)

    def request(self, item: Item, folder: Path) -> Request:
        """Return the request of an item whose paths are relative to `folder`. Raises UsageError."""
        return request_of(Columns(item.command, item.inputs, item.output, item.options, item.sample), folder)


@lru_cache(maxsize=1000)
def _accepted(kinds: tuple[str, ...], space: str, reference: str) -> str:
    return json.dumps([kinds, space, reference]) if kinds else ""
