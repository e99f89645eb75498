"""A row is made again for the settings, weights and stage versions that it uses, and for no others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from facepipe import weights
from facepipe.batch.commands import Commands
from facepipe.batch.item import Item, identified
from facepipe.batch.joblist import Recorded
from facepipe.batch.plan import OTHER_KEY, Planner
from facepipe.config import load_settings
from facepipe.engine import Artefact, Job, Workspace
from facepipe.engine.item_log import DONE, Entries, ItemLog
from facepipe.spaces.files import load_coefficients, save_coefficients
from facepipe.stages import coefficients, crop, speech
from tests.media.sounds import write_voice
from tests.pipeline.official_weights import add_deep3d, add_pirender
from tests.pipeline.scene import Scene, ffmpeg

BFM = {"space": "bfm"}


def item(command: str, *inputs: Path | str, out: str, **options: str | bool) -> Item:
    roles = ("source", "driving")
    return identified(Item(command, dict(zip(roles, map(str, inputs), strict=False)), options, out))


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of the user's weights, in an empty current folder."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.delenv("FACEPIPE_RENDER_RENDERER")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def register(name: str, folder: Path) -> None:
    save_file({name: np.zeros(1)}, folder / f"{name}.safetensors")
    weights.add(folder / f"{name}.safetensors", name=name, licence="", source="invented")


ROWS = {
    "mesh": item("reenact", "a.png", "b.mp4", out="mesh.mp4", renderer="mesh"),
    "compact": item("reenact", "a.png", "b.mp4", out="compact.mp4"),
    "points": item("reenact", "a.png", "b.mp4", out="points.mp4", landmarker="face-alignment"),
    "audio": item("audio", "a.png", "b.wav", out="audio.mp4", renderer="mesh"),
    "bfm": item("coefficients", "b.mp4", out="bfm.npz", **BFM),
    "sound": item("features", "b.wav", out="sound.npz"),
}


class Folder:
    """A work folder in which all rows are done."""

    def __init__(self, folder: Path, *, key: Callable[[str], str] = lambda key: key) -> None:
        self.folder = folder
        for name in ("a.png", "b.mp4", "b.wav"):
            (folder / name).touch()
        ledger = ItemLog(folder / "journal", about={})
        for one in ROWS.values():
            (folder / one.output).touch()
            ledger.append(one.id, {"number": 1, "state": DONE, "run": "before", "key": key(self.planner().key(one))})
        ledger.close()

    def planner(self) -> Planner:
        entries = Entries(self.folder / "journal")
        entries.refresh()
        return Planner(
            Recorded("jobs", lambda: (), Commands(load_settings()), recorded=tuple(ROWS.values())), self.folder, entries
        )

    def reasons(self) -> Mapping[str, str]:
        """Return why rows are made again."""
        decided = dict(zip(ROWS, self.planner().decisions(), strict=True))
        assert all(one.wanted == (one.reason != "done") for one in decided.values())
        return {name: one.reason for name, one in decided.items() if one.reason != "done"}


CHANGED = "program or weights changed"


def test_a_weight_makes_the_rows_that_use_it_again_and_no_others(mine: Path) -> None:
    folder = Folder(mine)
    register("unrelated", mine)
    assert folder.reasons() == {}
    register("fan-3d", mine)
    assert folder.reasons() == {"points": CHANGED}
    register("bfm", mine)
    assert folder.reasons() == {"points": CHANGED, "bfm": CHANGED}


@pytest.mark.parametrize(
    ("module", "name", "users"),
    [
        (coefficients, "BFM_STAGE", ["bfm"]),
        (coefficients, "STAGE", ["mesh", "compact", "points", "audio"]),
        (speech, "STAGE", ["audio"]),
        (crop, "STAGE", ["mesh", "compact", "points", "audio", "bfm"]),
    ],
)
def test_a_version_makes_the_rows_that_use_the_stage_again_and_no_others(
    mine: Path, monkeypatch: pytest.MonkeyPatch, module: object, name: str, users: Sequence[str]
) -> None:
    folder, stage = Folder(mine), getattr(module, name)
    monkeypatch.setattr(module, name, replace(stage, version=stage.version + 1))
    assert folder.reasons() == dict.fromkeys(users, CHANGED)


def test_a_setting_makes_rows_again_unless_it_changes_no_result(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(mine)
    monkeypatch.setenv("FACEPIPE_RENDER_COMPILE", "true")
    assert folder.reasons() == {}
    monkeypatch.setenv("FACEPIPE_OUTPUT_QUALITY", "3")
    assert folder.reasons()["mesh"] == "settings changed"


def test_keys_of_another_version_say_so(mine: Path) -> None:
    """Journals of 0.1.0 before this held three parts, of which the second mixed settings, stages and weights."""
    folder = Folder(mine, key=lambda key: ".".join(key.split(".")[:2] + key.split(".")[3:]))
    assert folder.reasons() == dict.fromkeys(ROWS, OTHER_KEY)


def used(one: Item, folder: Path) -> tuple[set[tuple[str, int]], set[str]]:
    """Make an item; return stages with versions, and digests of weights, as the records of the results have them."""
    results: list[Artefact] = []

    def run_job(identity: Mapping[str, object], body: Callable[[Job], None]) -> None:
        with Job(Workspace(folder / "work"), {"command": str(identity["command"])}, remembers=False) as job:
            body(job)
            results.extend(job.results)

    Commands(load_settings()).make(one, folder, run_job)
    identities = [result.record.identity for result in results]
    return {(one.stage, one.version) for one in identities}, {w for one in identities for w in one.weights.values()}


@pytest.mark.slow
def test_what_is_declared_is_what_is_used(mine: Path, scene: Scene) -> None:
    add_deep3d(mine)
    add_pirender(mine)
    write_voice(mine / "voice.wav", 0.4)
    ffmpeg("-i", scene.driver, "-t", "0.24", "-c:a", "copy", mine / "clip.mp4")
    save_coefficients(load_coefficients(scene.motion).rows(0, 6), mine / "motion.npz")
    portrait, driver, motion, voice = scene.portrait, mine / "clip.mp4", mine / "motion.npz", mine / "voice.wav"
    small = {"size": "64", "renderer": "mesh"}
    made = [
        item("reenact", portrait, motion, out="r.mp4", sheet=str(mine / "r.png"), **small),
        item("reenact", portrait, portrait, out="still.png", **small),
        item("reenact", portrait, driver, out="p.mp4", renderer="pirender"),
        item("reenact", portrait, motion, out="c.mp4", size="64"),
        item("audio", portrait, voice, out="a.mp4", report=str(mine / "a.png"), **small),
        item("edit", portrait, out="e.png", yaw="5", **small),
        item("edit", portrait, out="drawn.mp4", random="1", frames="2", **small),
        item("crop", driver, out="cut.mp4", size="64"),
        item("coefficients", driver, out="own.npz"),
        item("coefficients", driver, out="bfm.npz", **BFM),
        item("features", voice, out="f.npz"),
        item("motion", portrait, driver, out="m.npz"),
        item("motion", portrait, voice, out="said.npz"),
        item("render", portrait, motion, out="drawn2.mp4", **small),
        item("mux", mine / "r.mp4", out="joined.mp4"),
    ]
    for one in made:
        versions, digests = json.loads(Commands(load_settings()).program(one))
        stages, weighed = used(one, mine)
        assert {(name, version) for name, _, version in versions} == stages, one.label
        assert {digest for _, digest in digests} == weighed, one.label
