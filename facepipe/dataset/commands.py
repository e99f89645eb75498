"""The batch of `facepipe dataset build`: an item is a raw video, and its result the part of the list that it gives."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path, PurePath

from facepipe.batch.command_set import RunJob
from facepipe.batch.item import Item, identified
from facepipe.batch.joblist import Recorded, Shard
from facepipe.dataset.annotations import Annotations
from facepipe.dataset.build import Builder, Recipe
from facepipe.dataset.listing import write_list
from facepipe.dataset.manifest_part import ManifestPart, load_part, save_part
from facepipe.dataset.people import People, clip_name
from facepipe.dataset.statistics import SHEET, STATISTICS, write_sheet, write_statistics
from facepipe.device import set_threads
from facepipe.engine import Job, Json
from facepipe.errors import FacepipeError, InputError, PrecheckError, UsageError
from facepipe.pipeline.dependencies import Dependencies
from facepipe.pipeline.items import find_items, is_video
from facepipe.pipeline.perception import space_weights
from facepipe.pipeline.precheck import all_of, find_weights
from facepipe.spaces import SPACES
from stages import clip, coefficients, features, spans, utterances

COMMAND, PARTS = "dataset", "parts"


@dataclass(frozen=True)
class DatasetCommands:
    """The one command of the items of `facepipe dataset build`, which make the clips of a raw video each."""

    recipe: Recipe
    people: People
    """Without its table: items name their persons."""
    root: str
    """The folder of the raw videos."""
    dataset: str

    def extension(self, item: Item) -> str:
        """Return the suffix of a part."""
        del item
        return "json"

    def inputs(self, item: Item) -> Sequence[str]:
        """Return the raw video and its annotations."""
        return (item.inputs["source"], *_annotations(item))

    def check(self, item: Item) -> FacepipeError | None:
        """Find nothing wrong: the options are of our own making."""
        del item
        return None

    def kind(self, item: Item) -> str:
        """Return the same for all."""
        return item.command

    def check_machine(self, items: Sequence[Item], folder: Path) -> list[FacepipeError]:
        """Return which weights are missing."""
        del items, folder
        try:
            find_weights(*self._weights())
        except PrecheckError as error:
            return list(error.errors)
        except FacepipeError as error:
            return [error]
        return []

    def _weights(self) -> list[str]:
        return ["detector", "landmarker", *space_weights(self.recipe.space)]

    def settings(self, item: Item) -> str:
        """Return the recipe, and who goes where."""
        del item
        return self._settings

    @cached_property
    def _settings(self) -> str:
        recipe = {**asdict(replace(self.recipe, overwrite=False)), "fps": str(self.recipe.fps)}
        splits = [sorted(self.people.splits.items()), self.people.test_percent, sorted(self.people.unseen)]
        return json.dumps([recipe, splits], sort_keys=True)

    def program(self, item: Item) -> str:
        """Return the versions of the stages and the digests of the weights."""
        del item
        return self._program

    @cached_property
    def _program(self) -> str:
        found = utterances.STAGE if self.recipe.rule == "voxceleb" else spans.STAGE
        fitted = dict.fromkeys((coefficients.STAGE, SPACES[self.recipe.space].estimation()))
        return Dependencies((found, clip.STAGE, *fitted, features.STAGE), tuple(self._weights())).signature()

    def prepare(self, threads: int) -> None:
        """Give the numerical libraries their threads."""
        set_threads(threads)

    def make(self, item: Item, folder: Path, run_job: RunJob) -> None:
        """Make the clips of a raw video and write down what they are. Raises what the first that failed raised."""
        source, out = folder / item.inputs["source"], folder / item.output
        # It would tell of clips that are about to be others.
        out.unlink(missing_ok=True)
        parts: list[ManifestPart] = []

        def body(job: Job) -> None:
            builder = Builder(
                job,
                self.recipe,
                find_weights(*self._weights()),
                self.people,
                folder / self.dataset,
                PurePath(item.inputs["source"]).relative_to(self.root),
                str(item.options["person"]),
                [folder / name for name in _annotations(item)],
            )
            parts.append(builder.build(source))

        run_job({"command": "dataset build", "source": str(source)}, body)
        for part in parts:
            out.parent.mkdir(parents=True, exist_ok=True)
            save_part(part, out)
            if part.faults:
                raise part.faults[0]


def _annotations(item: Item) -> list[str]:
    names = item.options.get("boxes", [])
    assert isinstance(names, list)
    return [str(name) for name in names]


def list_videos(
    clips: Path, dataset: Path, recipe: Recipe, people: People, annotations: Annotations | None, shard: Shard
) -> Recorded:
    """Return the raw videos of a folder as the items of a batch.

    Raises InputError where there are none, and one PrecheckError that tells of all whose person or annotation is not
    known; UsageError where two would give clips of one name.
    """
    if not clips.is_dir():
        raise InputError(f"{clips} is no folder; give the folder of the raw videos")
    if dataset.exists() and not dataset.is_dir():
        raise UsageError(f"{dataset} is a file; name a folder for the data set, a new one or one of before")
    found = find_items([clips], dataset, is_video, kinds="videos")

    def item(path: Path) -> Item:
        name = path.relative_to(clips)
        options: dict[str, Json] = {"person": people.person(name)}
        if annotations:
            options["boxes"] = [str(text) for text in annotations.of(name)]
        return identified(Item(COMMAND, {"source": str(path)}, options))

    items = _placed(all_of(partial(item, one.path) for one in found), clips, dataset)
    commands = DatasetCommands(recipe, replace(people, persons={}), str(clips), str(dataset))
    return Recorded(f"data set {dataset}", lambda: (), commands, shard=shard, recorded=tuple(items))


def _placed(items: Sequence[Item], clips: Path, dataset: Path) -> list[Item]:
    """Return the items with the places of their parts, which bear the names of the clips."""
    owners: dict[str, str] = {}
    for item in items:
        source = item.inputs["source"]
        called = clip_name(str(item.options["person"]), PurePath(source).relative_to(clips))
        if (other := owners.setdefault(called, source)) is not source:
            raise UsageError(f"{other} and {source} would both give the clip {called}; rename one")
    return [
        replace(item, output=str(dataset / PARTS / f"{name}.json")) for item, name in zip(items, owners, strict=True)
    ]


def assemble(videos: Recorded, dataset: Path) -> None:
    """Write the list of all clips that are there and, where it says something new, statistics and contact sheet."""
    parts = [load_part(Path(item.output)) for item in videos.recorded]
    there = [part for part in parts if part is not None]
    entries = [entry for part in there for entry in part.entries]
    if not entries:
        return
    changed = write_list(dataset, entries)
    if changed or not all((dataset / name).exists() for name in (SHEET, STATISTICS)):
        rejected: dict[str, int] = {}
        for part in there:
            for reason, count in part.rejected.items():
                rejected[reason] = rejected.get(reason, 0) + count
        write_statistics(dataset, entries, rejected, missing=len(parts) - len(there))
        write_sheet(dataset, entries)
