"""The batch of `facepipe dataset build`: an item is a raw video, and its result is a part of the list of clips."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path, PurePath

from facepipe.batch.command_set import CommandSet, RunJob
from facepipe.batch.item import Item, identified
from facepipe.batch.joblist import Recorded, Shard
from facepipe.dataset.annotations import Annotations
from facepipe.dataset.build import Builder, Recipe
from facepipe.dataset.listing import LIST, write_list
from facepipe.dataset.manifest_part import ManifestPart, load_part, save_part
from facepipe.dataset.people import People, clip_name
from facepipe.dataset.statistics import SHEET, STATISTICS, write_sheet, write_statistics
from facepipe.device import set_threads
from facepipe.engine import Job, Json
from facepipe.errors import FacepipeError, InputError, PrecheckError, UsageError
from facepipe.face.clip_candidates import counted
from facepipe.media.files import make_parent
from facepipe.pipeline.dependencies import Dependencies
from facepipe.pipeline.items import find_items, is_video
from facepipe.pipeline.perception import space_weights
from facepipe.pipeline.precheck import all_of, find_weights
from facepipe.spaces import SPACES
from facepipe.stages import clip, coefficients, features, spans, utterances

COMMAND, PARTS = "dataset", "parts"


@dataclass(frozen=True)
class DatasetCommands(CommandSet):
    """The command of all items of `facepipe dataset build`; it builds the clips of one raw video."""

    recipe: Recipe
    people: People
    """People without their table, because items contain the person."""
    root: str
    """Folder of the raw videos."""
    dataset: str

    def extension(self, item: Item) -> str:
        """Return the file extension of a result."""
        del item
        return "json"

    def inputs(self, item: Item) -> Sequence[str]:
        """Return the raw video and its annotations."""
        return (item.inputs["source"], *_annotations(item))

    def check(self, item: Item) -> Mapping[str, str]:
        """Return no faults: the options come from `list_videos` and are valid."""
        del item
        return {}

    def kind(self, item: Item) -> str:
        """Return the kind of an item, which is the same for all items."""
        return item.command

    def check_machine(self, items: Sequence[Item], folder: Path) -> list[FacepipeError]:
        """Return errors for missing weights."""
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
        """Return the recipe and the assignment of people to splits, as JSON."""
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
        """Set the number of threads of numerical libraries."""
        set_threads(threads)

    def make(self, item: Item, folder: Path, run_job: RunJob) -> None:
        """Build the clips of a raw video and write its part of the list. Raises the error of the first failed clip."""
        source, out = folder / item.inputs["source"], folder / item.output
        make_parent(out)
        # It lists clips that are about to be replaced.
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

    Raises InputError if there are none, one PrecheckError that lists all videos whose person or annotation is unknown,
    and UsageError if two videos give clips of the same name.
    """
    if not clips.is_dir():
        raise InputError(f"{clips} is not a folder; give the folder of the raw videos")
    if dataset.exists() and not dataset.is_dir():
        raise UsageError(f"{dataset} is a file; give a new folder for the data set, or that of an earlier build")
    found = find_items([clips], dataset, is_video, kinds="videos")

    def item(path: Path) -> Item:
        name = path.relative_to(clips)
        options: dict[str, Json] = {"person": people.person(name)}
        if annotations:
            options["boxes"] = [str(text) for text in annotations.of(name)]
        return identified(Item(COMMAND, {"source": str(path)}, options))

    items = _with_outputs(all_of(partial(item, one.path) for one in found), clips, dataset)
    commands = DatasetCommands(recipe, replace(people, persons={}), str(clips), str(dataset))
    return Recorded(f"data set {dataset}", lambda: (), commands, shard=shard, recorded=tuple(items))


def _with_outputs(items: Sequence[Item], clips: Path, dataset: Path) -> list[Item]:
    """Return the items with the paths of their results, which are named as the clips."""
    owners: dict[str, str] = {}
    for item in items:
        source = item.inputs["source"]
        clip_id = clip_name(str(item.options["person"]), PurePath(source).relative_to(clips))
        if (other := owners.setdefault(clip_id, source)) is not source:
            raise UsageError(f"{other} and {source} would both give the clip {clip_id}; rename one")
    return [
        replace(item, output=str(dataset / PARTS / f"{name}.json")) for item, name in zip(items, owners, strict=True)
    ]


@dataclass(frozen=True)
class Assembled:
    """What became of the raw videos of a data set."""

    videos: int
    clips: int
    missing: int
    """Number of raw videos without a result."""
    rejected: Mapping[str, int]
    """Number of parts of raw videos that the rule rejected, by reason."""

    def __str__(self) -> str:
        """Return one line for the user."""
        without = f", of which without a result: {self.missing}" if self.missing else ""
        parts = f"; parts rejected: {counted(self.rejected)}" if self.rejected else ""
        return f"clips: {self.clips}, raw videos: {self.videos}{without}{parts}"


def assemble(videos: Recorded, dataset: Path) -> Assembled:
    """Write the list of all existing clips and, if it changed, statistics and contact sheet.

    Without any clip, an existing list becomes empty, and no other is made.
    """
    parts = [load_part(Path(item.output)) for item in videos.recorded]
    there = [part for part in parts if part is not None]
    entries = [entry for part in there for entry in part.entries]
    rejected = sum((Counter(part.rejected) for part in there), Counter[str]())
    result = Assembled(len(parts), len(entries), len(parts) - len(there), rejected)
    if not entries:
        if (dataset / LIST).exists():
            write_list(dataset, [])
        return result
    changed = write_list(dataset, entries)
    if changed or not all((dataset / name).exists() for name in (SHEET, STATISTICS)):
        write_statistics(dataset, entries, rejected, missing=result.missing)
        write_sheet(dataset, entries)
    return result
