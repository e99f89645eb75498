"""WebDataset shards, read back by webdataset, and written only if something changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facepipe.dataset.listing import path_of, read_list, write_list
from facepipe.dataset.shards import planned_shards
from tests.dataset.material import make_dataset
from tests.pipeline.scene import Outcome, run

webdataset = pytest.importorskip("webdataset")
NAMES = ("anna#a", "anna#b.c", "otto#d", "otto#e", "ida#f", "test#g")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    make_dataset(tmp_path / "set", *NAMES)
    return tmp_path / "set"


def export(dataset: Path, *argv: str) -> Outcome:
    out, work = dataset.parent / "shards", dataset.parent / "work"
    return run("dataset", "export", dataset, out, "--shards", "--clips", "2", "--work", work, *argv)


def test_readers_find_every_clip_complete(dataset: Path) -> None:
    outcome = export(dataset)
    assert outcome.exit_code == 0, outcome.stderr
    paths = [Path(line) for line in outcome.stdout.splitlines()]
    assert [path.name for path in paths] == [
        "test-000000.tar", "train-000000.tar", "train-000001.tar", "train-000002.tar",
    ]  # fmt: skip
    samples = list(webdataset.WebDataset([str(path) for path in paths], shardshuffle=False))
    found = {json.loads(sample["json"])["id"]: sample for sample in samples}
    assert sorted(found) == sorted(NAMES)
    for name, sample in found.items():
        assert sample["mp4"] == path_of(dataset, name, "clip").read_bytes()
        assert sample["coefficients.npz"] == path_of(dataset, name, "coefficients").read_bytes()
        assert sample["track.npz"] == path_of(dataset, name, "track").read_bytes()


def test_only_what_changed_is_written_again(dataset: Path) -> None:
    export(dataset)
    folder = dataset.parent / "shards"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert not any(event.get("changed") for event in export(dataset, "--json").events)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    path_of(dataset, "test#g", "coefficients").write_bytes(path_of(dataset, "ida#f", "track").read_bytes())
    changed = [event for event in export(dataset, "--json").events if event.get("changed")]
    assert [Path(event["path"]).name for event in changed] == ["test-000000.tar"]


def test_a_foreign_file_is_kept(dataset: Path) -> None:
    folder = dataset.parent / "shards"
    folder.mkdir()
    (folder / "train-000001.tar").write_text("mine", encoding="utf-8")
    outcome = export(dataset)
    assert outcome.exit_code == 3
    assert "is not one of these shards" in outcome.stderr
    assert (folder / "train-000001.tar").read_text(encoding="utf-8") == "mine"
    assert export(dataset, "--overwrite").exit_code == 0


def test_a_missing_file_is_reported_and_leaves_no_shard(dataset: Path) -> None:
    path_of(dataset, "test#g", "track").unlink()
    outcome = export(dataset)
    assert outcome.exit_code == 3
    assert "test#g.track.npz" in outcome.stderr
    assert not (dataset.parent / "shards" / "test-000000.tar").exists()


def test_shards_depend_on_names_alone(dataset: Path) -> None:
    entries = read_list(dataset)
    planned = [[entry.id for entry in shard.entries] for shard in planned_shards(entries, 2)]
    assert planned == [[entry.id for entry in shard.entries] for shard in planned_shards(entries[::-1], 2)]
    assert not write_list(dataset, entries[::-1]), "the list is sorted"
