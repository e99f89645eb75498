"""The commands of facepipe as the command set of a batch. A row is converted to the request of its command."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path, PurePath

from facepipe.batch.command_set import RunJob
from facepipe.batch.item import Item
from facepipe.device import set_threads
from facepipe.engine import Job, Workspace
from facepipe.errors import FacepipeError, PrecheckError
from facepipe.media.files import make_parent
from facepipe.pipeline.dependencies import Dependencies
from facepipe.requests import Request
from facepipe.requests.columns import Columns, files_read, request_of
from facepipe.settings import Settings

EXTENSIONS = {"coefficients": "npz", "motion": "npz", "features": "npz"}
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MACHINE_FAULTS = ("weights", "encoder", "disk")
HARMLESS = ("work.folder", "work.stale_seconds", "render.compile")
"""Settings that do not change results."""
FORMS = 10_000


@dataclass(frozen=True)
class Commands:
    """The command set of `facepipe batch`: all commands that make results from files."""

    of_run: Settings
    """The settings of the whole run, on all machines."""

    def extension(self, item: Item) -> str:
        """Return the default suffix of an item's result, without the dot."""
        files = [PurePath(name).suffix.lower() for name in item.inputs.values()]
        if item.command == "edit":
            return "mp4" if {"sweep", "frames", "fps"} & set(item.options) else "png"
        still = {"crop": files[0], "reenact": files[-1]}.get(item.command, "") in PICTURES
        return EXTENSIONS.get(item.command, "png" if still else "mp4")

    def inputs(self, item: Item) -> Sequence[str]:
        """Return the paths that an item reads."""
        return files_read(item.command, item.inputs.values(), item.options)

    def check(self, item: Item) -> FacepipeError | None:
        """Return the error in an item's command or options, or None."""
        form = self._form(item)
        return form if isinstance(form, FacepipeError) else None

    def kind(self, item: Item) -> str:
        """Return command, codec and weights as text."""
        form = self._form(item)
        assert not isinstance(form, FacepipeError)
        return " ".join((item.command, form.codec, *sorted(set(form.dependencies.weights))))

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
        form = self._form(item)
        if isinstance(form, FacepipeError):
            return ""
        if form.dependencies not in self._signatures:
            self._signatures[form.dependencies] = form.dependencies.signature()
        return self._signatures[form.dependencies]

    @cached_property
    def _signatures(self) -> dict[Dependencies, str]:
        return {}

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

    def _form(self, item: Item) -> Form | FacepipeError:
        names = tuple(PurePath(name).suffix for name in (*item.inputs.values(), item.output))
        options = json.dumps(dict(item.options), sort_keys=True)
        return _form(self, item.command, tuple(item.inputs), options, names, bool(item.sample))


@dataclass(frozen=True)
class Form:
    """The properties shared by rows that differ only in the stems of their files."""

    codec: str
    dependencies: Dependencies


@lru_cache(maxsize=FORMS)
def _form(
    commands: Commands, command: str, roles: tuple[str, ...], options: str, suffixes: tuple[str, ...], sample: bool
) -> Form | FacepipeError:
    """Return the form of rows, or the error that all of them have. Presets are the only files that are read.

    `suffixes` are those of the inputs, in the order of `roles`, and of the result.
    """
    inputs = {role: f"{role}{suffix}" for role, suffix in zip(roles, suffixes, strict=False)}
    item = Item(command, inputs, json.loads(options), f"result{suffixes[-1]}", sample=int(sample))
    try:
        prepared = commands.request(item, Path()).prepare(commands.of_run)
    except FacepipeError as error:
        return error
    return Form(prepared.options.codec, prepared.dependencies)


def forget() -> None:
    """Clear the cache of forms, because the weight registry or a preset may have changed."""
    _form.cache_clear()
