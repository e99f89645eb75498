"""Folders of published training runs: options in `args.txt`, one checkpoint for each network and epoch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from facepipe.errors import WeightsError

OPTIONS = "args.txt"
CHECKPOINTS = "checkpoints"
RUNS = "runs"
# EPOCH_NETWORK.pth; the states of optimisers, EPOCH_opt_NETWORK.pth, are not networks.
_CHECKPOINT = re.compile(r"(\d{1,9})_(?!opt_)([a-z_]+)\.pth")


@dataclass(frozen=True)
class Experiment:
    """A folder of one training run."""

    folder: Path
    options: Path | None
    """Its `args.txt`, if there is one."""
    networks: Mapping[str, Mapping[int, Path]]
    """Checkpoints by name of the network and by epoch."""


def experiments_in(folder: Path) -> list[Experiment]:
    """Return the runs with checkpoints in a folder: itself, its folders, and those of its folder `runs`.

    The files of a run are in its folder or in `checkpoints` there. Raises WeightsError if the folder cannot be read.
    """
    if folder.name == CHECKPOINTS:
        folder = folder.parent
    try:
        found = [folder, *_folders(folder), *_folders(folder / RUNS)]
        return [run for run in map(_experiment, found) if run.networks]
    except OSError as error:
        raise WeightsError(
            f"cannot read {error.filename or folder}: {error.strerror or error}; expected the folder of a training "
            f"run, with {OPTIONS} and {CHECKPOINTS}/"
        ) from error


def _folders(folder: Path) -> Iterator[Path]:
    if folder.name == RUNS and not folder.is_dir():
        return
    yield from sorted(path for path in folder.iterdir() if path.is_dir() and path.name not in (CHECKPOINTS, RUNS))


def _experiment(folder: Path) -> Experiment:
    networks: dict[str, dict[int, Path]] = {}
    for place in (folder, folder / CHECKPOINTS):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if found := _CHECKPOINT.fullmatch(path.name):
                networks.setdefault(found[2], {})[int(found[1])] = path
    options = folder / OPTIONS
    return Experiment(folder, options if options.is_file() else None, networks)


def read_options(experiment: Experiment) -> str:
    """Return the text of `args.txt`. Raises WeightsError if there is none, or it cannot be read."""
    if experiment.options is None:
        raise WeightsError(f"{experiment.folder} has no {OPTIONS}, the options of the training run: add that file")
    try:
        return experiment.options.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"cannot read {experiment.options} ({error}), expected lines KEY: VALUE") from error
