"""`facepipe batch` on real files: rows of several commands give what the commands give."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facepipe.cli import app
from facepipe.cli.batch_settings import limits_of, shard_of
from facepipe.errors import UsageError
from tests.media.sounds import write_voice
from tests.pipeline.scene import ROOT, Scene, run


@pytest.fixture
def folder(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preloaded_workers: None) -> Path:
    """A current folder with a portrait under two names, a driver and a file that is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEPIPE_WORK_SEGMENT_FRAMES", "8")
    shutil.copy(scene.portrait, "one.png")
    shutil.copy(scene.portrait, "two.png")
    shutil.copy(scene.driver, "driver.mp4")
    Path("broken.mp4").write_bytes(Path("driver.mp4").read_bytes()[:2000])
    return tmp_path


ROWS = """source,driving,command,output,size,strength,paste-back
one.png,driver.mp4,,out/whole.mp4,128,0.5,true
two.png,driver.mp4,,out/{source}-{id}.{ext},128,,
one.png,,edit,,64,,
driver.mp4,,coefficients,out/{source}.{ext},,,
one.png,broken.mp4,,out/broken.mp4,128,,
"""


def test_whoever_leads_a_batch_does_not_wait_for_torch() -> None:
    code = (
        "import sys; from facepipe.batch.item import Item; from facepipe.batch.commands import Commands\n"
        "from facepipe.config import load_settings\n"
        "item = Item('reenact', {'source': 'a.png', 'driving': 'b.mp4'}, {}, 'c.mp4')\n"
        "commands = Commands(load_settings())\n"
        "commands.settings(item), commands.program(item); print(*sys.modules)"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT).split()
    assert "facepipe.stages.speech" in loaded
    assert {"torch", "numba", "scipy"} & set(loaded) == set()


@pytest.mark.slow
def test_rows_give_what_their_commands_give(folder: Path) -> None:
    Path("jobs.csv").write_text(ROWS)
    refused = run("batch", "jobs.csv", "-j", "2", "--json", "--set", "quality=60", "-o", "{source}-{command}.{ext}")
    assert refused.exit_code == 2  # coefficients know no quality, and the option is that of the whole batch
    done = run("batch", "jobs.csv", "-j", "2", "--json", "-o", "{source}-{command}.{ext}")
    events = done.events
    assert done.exit_code == 4, done.stderr
    assert (events[-1]["event"], events[-1]["made"], events[-1]["failed"]) == ("batch-summary", 4, 1)
    assert [one["failure_class"] for one in events if one["event"] == "failed"] == ["input"]
    alone = run(
        *("reenact", "one.png", "driver.mp4", "-o", "alone.mp4", "--size", "128", "--strength", "0.5", "--paste-back"),
        *("--work", "other"),
    )
    assert alone.exit_code == 0, alone.stderr
    assert Path("alone.mp4").read_bytes() == Path("out/whole.mp4").read_bytes()
    assert {path.suffix for path in Path("out").iterdir()} == {".mp4", ".json", ".npz"}
    assert Path("one-edit.png").exists()
    # The driver was tracked once, whoever came first.
    stages = [
        entry[1]["stages"]
        for journal in Path(".facepipe/batch/journal").glob("*.jsonl")
        for line in journal.read_text().splitlines()
        if line and (entry := json.loads(line))[1].get("state") == "done"
    ]
    crops = [stage["crop"][0] for stage in stages if "crop" in stage]
    assert sum(crops) == len(list(Path(".facepipe/crop").glob("*/*")))
    again = run("batch", "jobs.csv", "--dry-run", "-o", "{source}-{command}.{ext}")
    assert again.exit_code == 0
    assert again.stderr.count("(done)") == 4
    the_folder_tells_all()


def the_folder_tells_all() -> None:
    """Ask for what the batch left behind, mend its failure, and try that again."""
    run = CliRunner()

    def output_of(*argv: str) -> str:
        told = run.invoke(app, list(argv), prog_name="facepipe")
        assert told.exit_code == 0, told.stderr
        return told.stdout

    assert "5 items: 4 done, 1 failed" in output_of("status")
    assert json.loads(output_of("status", "--json"))["failures"] == {"input": 1}
    assert "broken.mp4" in output_of("failures", "--class", "input")
    assert json.loads(output_of("failures", "--json"))["item"]["inputs"]["driving"] == "broken.mp4"
    assert output_of("failures", "--class", "memory") == "no failures\n"
    assert set(json.loads(output_of("stats", "--json"))["stages"]) >= {"crop", "render", "mux"}
    assert output_of("report", "-o", "page.html") == "page.html\n"
    assert Path("page.html").read_text().count("data:image/jpeg") == 4  # coefficients are no picture
    assert run.invoke(app, ["retry", "--class", "memory"]).exit_code == 2
    shutil.copy("driver.mp4", "broken.mp4")
    assert json.loads(output_of("retry", "-j", "1", "--json").splitlines()[-1])["made"] == 1
    assert "5 items: 5 done" in output_of("status")


@pytest.mark.slow
def test_a_voice_and_a_crop_are_rows_like_others(folder: Path) -> None:
    write_voice(folder / "voice.wav", 0.8)
    rows = ["command,source,sound,output,size,sample", "audio,one.png,voice.wav,out/{sample}.mp4,64,"]
    rows += ["audio,one.png,voice.wav,out/{sample}.mp4,64,1", "crop,driver.mp4,,out/crop.mp4,64,"]
    done = run("batch", "-", "-j", "1", given="\n".join(rows))
    assert done.exit_code == 0, done.stderr
    run("audio", "one.png", "voice.wav", "-o", "alone.mp4", "--size", "64", "--seed", "1", "--work", "other")
    run("crop", "driver.mp4", "-o", "crop.mp4", "--size", "64", "--work", "other")
    assert Path("out/1.mp4").read_bytes() == Path("alone.mp4").read_bytes() != Path("out/0.mp4").read_bytes()
    assert Path("out/crop.mp4").read_bytes() == Path("crop.mp4").read_bytes()


def test_everything_wrong_is_told_at_once(folder: Path) -> None:
    rows = [
        {"source": "one.png", "driving": "driver.mp4", "output": "x.mp4", "strength": 9},
        {"source": "nowhere.png", "driving": "driver.mp4", "output": "y.mp4"},
        {"source": "one.png", "driving": "driver.mp4", "output": "z.mp4", "colour": "red"},
        {"source": "one.png", "driving": "driver.mp4", "output": "z.mp4"},
        {"source": "one.png", "command": "fly"},
        {"source": "one.png", "driving": "driver.mp4", "output": "{banana}"},
        {"source": "one.png", "output": "w.mp4"},
        {"source": "one.png", "driving": "driver.mp4", "output": "v.mp4", "no_face": "cry"},
        {"source": "one.png", "driving": "driver.mp4", "output": "u.mp4", "work": "elsewhere"},
    ]
    done = run("batch", "-", given="\n".join(map(json.dumps, rows)))
    assert done.exit_code == 3
    for expected in (
        "strength is 9, expected a number from 0 to 3",
        "nowhere.png",
        "colour",
        "result z.mp4 is also",
        "'fly'",
        "banana",
        "takes 2 files",
        "cry",
        "work",
    ):
        assert expected in done.stderr
    assert not Path(".facepipe/batch").exists()


@pytest.mark.parametrize(
    "argv",
    [
        ["jobs.csv", "--pair", "circle"],
        ["*.png", "driver.mp4", "--pair", "zip"],
        ["jobs.csv", "--engine", "steam"],
        ["jobs.csv", "--scheduler", "tcp://nowhere:1"],
        ["jobs.csv", "--rank", "1"],
        ["jobs.csv", "--rank", "2", "--world", "2"],
        ["jobs.csv", "--max-failures", "none"],
        ["jobs.csv", "--keep", "some"],
        ["jobs.csv", "--set", "size"],
        ["jobs.csv", "more.csv"],
    ],
)
def test_usage_is_refused(folder: Path, argv: list[str]) -> None:
    Path("jobs.csv").write_text("source,driving\none.png,driver.mp4\n")
    told = CliRunner().invoke(app, ["batch", *argv], prog_name="facepipe")
    assert told.exit_code == 2, told.stderr
    assert told.stderr.startswith("facepipe: ")


@pytest.mark.parametrize(
    ("variables", "shard"),
    [
        ({}, (0, 1)),
        ({"ID": "3", "COUNT": "4", "MIN": "0"}, (3, 4)),
        ({"ID": "4", "COUNT": "4", "MIN": "1"}, (3, 4)),
        ({"ID": "30", "COUNT": "4", "MIN": "0", "STEP": "10"}, (3, 4)),
    ],
)
def test_a_slurm_array_is_a_set_of_shards(variables: Mapping[str, str], shard: tuple[int, int]) -> None:
    found = shard_of(None, None, {f"SLURM_ARRAY_TASK_{name}": value for name, value in variables.items()})
    assert (found.rank, found.world) == shard
    assert shard_of(1, 5, {"SLURM_ARRAY_TASK_ID": "3"}).world == 5


def test_a_slurm_array_with_gaps_is_refused() -> None:
    with pytest.raises(UsageError, match="without gaps"):
        shard_of(None, None, {"SLURM_ARRAY_TASK_ID": "9", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "1"})


def test_limits() -> None:
    assert limits_of("5", 2, fail_fast=False).max_failures(1000) == 5
    assert limits_of("5%", 2, fail_fast=False).max_failures(1000) == 50
    assert limits_of("", 2, fail_fast=True).max_failures(1000) == 1
    for wrong in ("0", "-1", "1.5", "0%", "101%", "x"):
        with pytest.raises(UsageError):
            limits_of(wrong, 2, fail_fast=False)


def test_retry_needs_a_batch(tmp_path: Path) -> None:
    """A folder without one is an error, not a batch in which nothing failed."""
    outcome = run("retry", tmp_path / "nowhere")
    assert (outcome.exit_code, "holds no batch" in outcome.stderr) == (2, True)
