"""The commands of facepipe as rows of a batch: a row is the command line that it would be, in columns."""

from __future__ import annotations

import difflib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import typer

from facepipe.cli.jobs import RUNNER, Runner
from facepipe.errors import FacepipeError, PrecheckError, UsageError

if TYPE_CHECKING:
    from facepipe.batch.item import Item
    from facepipe.batch.programme import RunJob
    from facepipe.engine import Job
    from facepipe.pipeline.dependencies import Dependencies

THE_BATCH_S = frozenset(
    ("out", "work", "force", "dry_run", "json", "quiet", "verbose", "list", "save_preset", "help", "samples", "jobs")
)
"""Flags that a row cannot have."""
FILES = ("preset", "consent", "sound", "pose_from")
"""Flags that name files which are read."""
EXTENSIONS = {"coefficients": "npz", "motion": "npz", "features": "npz"}
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MACHINE_FAULTS = ("weights", "encoder", "disk")
HARMLESS = ("work.folder", "work.stale_seconds", "render.compile")
"""Settings that change no result."""
TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True)
class Commands:
    """The programme of `facepipe batch`: every command that makes a result out of files."""

    def extension(self, item: Item) -> str:
        """Return the suffix of an item's result, without dot."""
        files = [PurePath(name).suffix.lower() for name in item.inputs.values()]
        if item.command == "edit":
            return "mp4" if {"sweep", "frames", "fps"} & set(item.options) else "png"
        still = {"crop": files[0], "reenact": files[-1]}.get(item.command, "") in PICTURES
        return EXTENSIONS.get(item.command, "png" if still else "mp4")

    def inputs(self, item: Item) -> Sequence[str]:
        """Return the files that an item reads."""
        return (*item.inputs.values(), *(str(item.options[name]) for name in FILES if name in item.options))

    def check(self, item: Item) -> FacepipeError | None:
        """Return what is wrong with an item's command and options."""
        found = self._look(item)
        return found if isinstance(found, FacepipeError) else None

    def _look(self, item: Item) -> Dependencies | FacepipeError:
        names = tuple(PurePath(name).suffix for name in (*item.inputs.values(), item.output))
        return _look(item.command, tuple(item.inputs), json.dumps(dict(item.options), sort_keys=True), names)

    def kind(self, item: Item) -> str:
        """Return command and those options that need something of a machine."""
        told = [f"{name}={item.options[name]}" for name in ("codec", "landmarker", "renderer") if name in item.options]
        return " ".join((item.command, *told))

    def check_machine(self, items: Sequence[Item], folder: Path) -> list[FacepipeError]:
        """Plan one item of each kind, and return what of weights, encoders and disks is missing for it."""
        from facepipe.config import load_settings
        from facepipe.engine import Job, Workspace

        work = Workspace(Path(load_settings().work.folder))
        faults: dict[str, FacepipeError] = {}

        def plan(identity: Mapping[str, Any], body: Callable[[Job], None], _uses: Dependencies) -> None:
            with Job(work, dict(identity), dry_run=True) as job:
                body(job)

        with tempfile.TemporaryDirectory(prefix="facepipe-check-") as place:
            for item in items:
                nowhere = replace(item, output=str(Path(place) / f"result{PurePath(item.output).suffix}"))
                try:
                    self._call(nowhere, folder, plan)
                except FacepipeError as error:
                    all_of_it = error.errors if isinstance(error, PrecheckError) else (error,)
                    faults |= {str(one): one for one in all_of_it if one.failure_class in MACHINE_FAULTS}
        return list(faults.values())

    def settings(self, item: Item) -> str:
        """Return the settings that hold here."""
        del item
        return self._settings

    @cached_property
    def _settings(self) -> str:
        from facepipe.config import load_settings

        return json.dumps([(name, value) for name, value, _ in load_settings().rows() if name not in HARMLESS])

    def program(self, item: Item) -> str:
        """Return the versions of the stages and the digests of the weights that an item uses."""
        found = self._look(item)
        if isinstance(found, FacepipeError):
            return ""
        if found not in self._signatures:
            self._signatures[found] = found.signature()
        return self._signatures[found]

    @cached_property
    def _signatures(self) -> dict[Dependencies, str]:
        return {}

    def prepare(self, threads: int) -> None:
        """Give the numerical libraries their threads."""
        from facepipe.device import set_threads

        set_threads(threads)

    def make(self, item: Item, folder: Path, run_job: RunJob) -> None:
        """Make an item as its command line would."""
        (folder / item.output).parent.mkdir(parents=True, exist_ok=True)
        self._call(item, folder, lambda identity, body, _uses: run_job(identity, body))

    def _call(self, item: Item, folder: Path, runner: Runner) -> None:
        command = commands()[item.command]
        _invoke(command, item.command, _words(command, item, folder), runner)


@lru_cache(maxsize=1)
def commands() -> Mapping[str, Any]:
    """Return the commands that a row may name."""
    from facepipe.cli import app

    group: Any = typer.main.get_command(app)
    found = {name: group.get_command(None, name) for name in group.list_commands(None)}
    return {
        name: command for name, command in found.items() if name not in ("plan", "batch") and _makes_a_result(command)
    }


def _makes_a_result(command: Any) -> bool:
    names = {parameter.name for parameter in command.params}
    return "out" in names and bool(_arguments(command)) and "work" in names


def _arguments(command: Any) -> list[Any]:
    return [parameter for parameter in command.params if not parameter.opts[0].startswith("-")]


def _flags(command: Any) -> dict[str, Any]:
    """Return the options of a command by the columns that stand for them."""
    return {
        flag.lstrip("-").replace("-", "_"): parameter
        for parameter in command.params
        for flag in parameter.opts
        if flag.startswith("--")
    }


@lru_cache(maxsize=10_000)
def _look(name: str, roles: tuple[str, ...], options: str, suffixes: tuple[str, ...]) -> Dependencies | FacepipeError:
    """Return what all rows of one form depend on, or what is wrong with them. Only presets are read.

    `suffixes` are those of the inputs, by `roles`, and of the result.
    """
    from facepipe.batch.item import Item

    known = commands()
    if name not in known:
        return UsageError(f"{name!r} is no command that makes results{_hint(name, known)}")
    wanted = len(_arguments(known[name]))
    if len([role for role in roles if role not in _named(known[name], roles)]) != wanted:
        return UsageError(f"{name} takes {wanted} file{'s' * (wanted > 1)}, but the row names {', '.join(roles)}")
    inputs = {role: f"{role}{suffix}" for role, suffix in zip(roles, suffixes, strict=False)}
    item = Item(name, inputs, json.loads(options), f"result{suffixes[-1]}")
    declared: list[Dependencies] = []
    try:
        _invoke(
            known[name], name, _words(known[name], item, Path()), lambda _identity, _body, use: declared.append(use)
        )
    except FacepipeError as error:
        return error
    return declared[0]


def forget() -> None:
    """Look at every form of row anew: settings, or weights, may have changed."""
    _look.cache_clear()


def _invoke(command: Any, name: str, words: list[str], runner: Runner) -> None:
    """Call a command with the words of its command line, and let `runner` run its job. Raises FacepipeError."""
    token = RUNNER.set(runner)
    try:
        with command.make_context(name, words) as context:
            command.invoke(context)
    except typer.TyperException as error:
        raise UsageError(error.format_message()) from error
    finally:
        RUNNER.reset(token)


def _words(command: Any, item: Item, folder: Path) -> list[str]:
    """Return the command line that a row stands for. Raises UsageError for columns that the command does not know."""
    flags = _flags(command)
    words = ["--out", str(folder / item.output)]
    options = dict(item.options)
    if item.sample:
        if "seed" not in flags:
            raise UsageError(f"{item.command} makes one result of a pair, so it takes no column sample")
        # Takes of one pair differ by their seeds, whatever else is in the list.
        options["seed"] = _whole(options.get("seed", 0), "seed") + item.sample
    for column, value in options.items():
        if column not in flags or column in THE_BATCH_S:
            own = "belongs to the batch as a whole" if column in flags else f"is no option of {item.command}"
            raise UsageError(f"the column {column!r} {own}{_hint(column, set(flags) - THE_BATCH_S)}")
        words += _said(flags[column], column, str(folder / str(value)) if column in FILES else value)
    named = _named(command, item.inputs)
    words += [f"--{role}={folder / item.inputs[role]}" for role in named]
    return [*words, "--", *(str(folder / name) for role, name in item.inputs.items() if role not in named)]


def _named(command: Any, roles: Iterable[str]) -> list[str]:
    """Return the files that a command takes as options, as mux does with sound."""
    flags = _flags(command)
    return [role for role in list(roles)[len(_arguments(command)) :] if role in flags]


def _whole(value: object, column: str) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise UsageError(f"{column} is {value!r}, expected a whole number") from None


def _said(parameter: Any, column: str, value: Any) -> Iterator[str]:
    flag = f"--{column.replace('_', '-')}"
    if parameter.is_flag:
        told = value if isinstance(value, bool) else TRUTHS.get(str(value).lower())
        if told is None:
            raise UsageError(f"{column} is {value!r}, expected true or false")
        if told:
            yield flag
        return
    several = value if isinstance(value, list) else str(value).split() if parameter.multiple else [value]
    for one in several:
        yield f"{flag}={one}"


def _hint(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(sorted(known))}"
