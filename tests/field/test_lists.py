"""Job lists as people write them: from spreadsheets, with hostile cells, with results that would meet."""

from __future__ import annotations

import hashlib
import json
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from skimage import data

from facepipe.batch.item import Item, identified
from facepipe.batch.rows import read_rows
from facepipe.batch.template import placed, stem_and_suffix
from facepipe.engine import Job, Workspace
from facepipe.engine.artefact import Output
from facepipe.engine.claim import Claims
from facepipe.errors import InputError, Interrupted, UsageError
from facepipe.media.image import write_image
from facepipe.pipeline.delivery import deliver
from tests.faults.program import Outcome, run
from tests.pipeline.scene import ffmpeg


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a picture and a clip of one frame under one name, and a sound."""
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "same.png", data.astronaut()[:300, 60:380])  # type: ignore[no-untyped-call]
    ffmpeg("-loop", "1", "-i", "same.png", "-t", "0.04", "-pix_fmt", "yuv420p", "same.mp4")
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.2", "voice.wav")
    return tmp_path


def plan(rows: str | list[dict[str, Any]], *argv: str, name: str = "") -> Outcome:
    """Plan a list, given as CSV, or as rows in JSON."""
    text = rows if isinstance(rows, str) else "".join(f"{json.dumps(row)}\n" for row in rows)
    path = Path(name or ("jobs.csv" if isinstance(rows, str) else "jobs.jsonl"))
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return run("batch", str(path), "--dry-run", "--json", *argv)


def planned(outcome: Outcome) -> list[str]:
    """Return the outputs of the items that are to be made."""
    return [one["output"] for one in outcome.events if one["event"] == "item" and one["to_make"]]


SPREADSHEETS = {
    "a last row of empty cells": b"source,driving,output\nsame.png,same.mp4,x.mp4\n,,\n",
    "empty cells in quotes": b'source,driving,output\nsame.png,same.mp4,x.mp4\n"",""," "\n',
    "semicolons": b"source;driving;output\nsame.png;same.mp4;x.mp4\n;;\n",
    "semicolons, and strengths with commas in quotes": b'source;driving;output;size\nsame.png;same.mp4;x.mp4;"128"\n',
    "tabs": b"source\tdriving\toutput\nsame.png\tsame.mp4\tx.mp4\n",
    "a capital": b"Source,Driving,OUTPUT\nsame.png,same.mp4,x.mp4\n",
    "a byte order mark": b"\xef\xbb\xbfsource,driving,output\r\nsame.png,same.mp4,x.mp4\r\n",
    "UTF-16": "source\tdriving\toutput\r\nsame.png\tsame.mp4\tx.mp4\r\n".encode("utf-16"),
    "a line that names the delimiter": b"sep=;\r\nsource;driving;output\r\nsame.png;same.mp4;x.mp4\r\n",
    "empty columns": b"source,driving,output,,\nsame.png,same.mp4,x.mp4,,\n",
}


@pytest.mark.parametrize("content", SPREADSHEETS.values(), ids=SPREADSHEETS)
def test_a_list_from_a_spreadsheet_is_read(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_bytes(content)
    (row,) = list(read_rows(path))
    assert not isinstance(row, UsageError), row
    given = {name.lower(): value for name, value in row[1].items() if name.lower() != "size"}
    assert given == {"source": "same.png", "driving": "same.mp4", "output": "x.mp4"}


def test_what_a_spreadsheet_does_to_numbers_is_refused_with_the_right_one(folder: Path) -> None:
    outcome = plan("source;driving;output;strength\nsame.png;same.mp4;x.mp4;0,7\n")
    assert (outcome.exit_code, "write 0.7" in outcome.stderr) == (3, True), outcome.stderr


@pytest.mark.parametrize(("listed", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_may_be_composed_in_another_way(folder: Path, listed: Any, on_disk: Any) -> None:
    shutil.copy("same.png", unicodedata.normalize(on_disk, "Zoë é.png"))
    outcome = plan([{"source": unicodedata.normalize(listed, "Zoë é.png"), "driving": "same.mp4", "output": "x.mp4"}])
    assert (outcome.exit_code, planned(outcome)) == (0, ["x.mp4"]), outcome.stderr


HOSTILE: dict[str, tuple[str, str]] = {
    "a NUL": ('{"source": "same\\u0000.png", "driving": "same.mp4"}', "NUL"),
    "a NUL in an option": ('{"source": "same.png", "driving": "same.mp4", "sheet": "a\\u0000.png"}', "NUL"),
    "half of a surrogate pair": ('{"source": "\\ud800.png", "driving": "same.mp4"}', "surrogate"),
    "not a number": ('{"source": "same.png", "driving": "same.mp4", "strength": NaN}', "finite"),
    "1e400": ('{"source": "same.png", "driving": "same.mp4", "strength": 1e400}', "finite"),
    "text of 1e400": ('{"source": "same.png", "driving": "same.mp4", "strength": "1e400"}', "from 0 to 3"),
    "nesting": ('{"source": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    "a list of sources": ('{"source": ["same.png"], "driving": "same.mp4"}', "one path"),
    "a list in a list": ('{"source": "same.png", "driving": "same.mp4", "strength": [[1]]}', "list of these"),
    "400 digits": ('{"source": "same.png", "driving": "same.mp4", "size": ' + "9" * 400 + "}", "64 bits"),
    "5,000 digits": ('{"source": "same.png", "driving": "same.mp4", "size": ' + "9" * 5000 + "}", "JSON"),
    "5,000 digits as text": ('{"source": "same.png", "driving": "same.mp4", "size": "' + "9" * 5000 + '"}', "whole"),
    "a sample of 400 digits": ('{"command": "edit", "source": "same.png", "sample": "' + "9" * 400 + '"}', "sample"),
    "a rate that takes for ever": ('{"command": "edit", "source": "same.png", "fps": "1e999999999"}', "fps"),
    "a name of 255 bytes": (
        json.dumps({"source": "same.png", "driving": "same.mp4", "output": "o/" + "x" * 255}),
        "long",
    ),
    "a command that is a path": ('{"source": "same.png", "command": "../../x"}', "not a command"),
    "attributes in a template": (
        '{"source": "same.png", "driving": "same.mp4", "output": "{source.__class__}.mp4"}',
        "invalid placeholder",
    ),
    "padding in a template": (
        '{"source": "same.png", "driving": "same.mp4", "output": "{source:>500000000}.mp4"}',
        "invalid placeholder",
    ),
}


@pytest.mark.parametrize(("line", "word"), HOSTILE.values(), ids=HOSTILE)
def test_a_bad_row_costs_one_row(line: str, word: str, folder: Path) -> None:
    good = '{"source": "same.png", "driving": "same.mp4", "output": "good.mp4"}\n'
    Path("jobs.jsonl").write_text(f"{line}\n{good}")
    outcome = run("batch", "jobs.jsonl", "--dry-run", "--json")
    assert outcome.exit_code == 3, outcome.stderr
    assert planned(outcome) == ["good.mp4"]
    assert word in outcome.stderr
    assert len(outcome.stderr) < 2000


def test_results_stay_in_the_folder_of_the_template() -> None:
    def output(source: str, template: str) -> str:
        return placed(identified(Item("crop", {"source": source})), template, "png").output

    for name in ("....jpg", ".jpg", "a/../.jpg", "~.png", "/x/../y.png"):
        for template in ("out/{source}/x.{ext}", "out/{folder}/{source}.{ext}"):
            place = output(name, template)
            assert place.startswith("out/")
            assert ".." not in Path(place).parts
    for name in ("...jpg", "..", "a/../...jpg", "/"):
        with pytest.raises(UsageError, match="rename the file"):
            output(name, "out/{source}/x.{ext}")
    assert output("../../id1/./a/00001.mp4", "out/{folder}/{source}.{ext}") == "out/id1/a/00001.png"
    assert output("/vox/id1/a/00001.mp4", "out/{folder}/{source}.{ext}") == "out/vox/id1/a/00001.png"
    assert output("00001.mp4", "out/{folder}/{source}.{ext}") == "out/00001.png"
    assert output("a.mp4", "{{{source}}}.{ext}") == "{a}.png"
    assert stem_and_suffix("...jpg") == ("..", ".jpg")


MEETING: dict[str, tuple[list[dict[str, str]], str]] = {
    "tracks": (
        [{"command": "crop", "source": name, "output": "out/{source}.{ext}"} for name in ("same.png", "same.mp4")],
        "out/same.track.npz",
    ),
    "sheets": (
        [
            {"source": "same.png", "driving": "same.mp4", "output": f"{number}.mp4", "sheet": "sheet.png"}
            for number in (1, 2)
        ],
        "sheet.png",
    ),
    "a sheet and a result": (
        [
            {"source": "same.png", "driving": "same.mp4", "output": "1.mp4", "sheet": "s/../x.png"},
            {"command": "edit", "source": "same.png", "output": "./x.png"},
        ],
        "x.png",
    ),
    "samples": (
        [
            {"command": "edit", "source": "same.png", "random": "2", "output": "x.png"},
            {"command": "edit", "source": "same.png", "output": "x-1.png"},
        ],
        "x-1.png",
    ),
}


@pytest.mark.parametrize(("rows", "path"), MEETING.values(), ids=MEETING)
def test_no_file_of_an_item_meets_one_of_another(rows: list[dict[str, str]], path: str, folder: Path) -> None:
    outcome = plan(rows)
    assert outcome.exit_code == 3, outcome.stderr
    assert f"{path} is also" in outcome.stderr
    assert len(planned(outcome)) == 1


def test_the_plan_finds_all_faults_of_all_rows(folder: Path) -> None:
    Path("text.mp4").write_text("not a video")
    Path("a file").write_text("")
    Path("taken.mp4").write_text("somebody's")
    rows: list[dict[str, Any]] = [
        {"source": "same.png", "driving": "text.mp4", "output": "a.mp4", "strength": 9, "no_face": "cry"},
        {"source": "same.png", "driving": "voice.wav", "output": "a file/b.mp4"},
        {"source": "same.png", "driving": "same.mp4", "output": "taken.mp4"},
        {"command": "edit", "source": "gone.png", "output": "c.png", "yaw": 500, "smile": "much"},
        {"command": "audio", "source": "same.png", "sound": "motion.npz", "output": "d.mp4"},
        {"source": "same.png", "driving": "same.mp4", "output": "e.mp4", "reference": 7},
    ]
    shutil.copy(Path(__file__).parents[2] / "examples" / "motion.npz", "motion.npz")
    outcome = plan(rows)
    assert (outcome.exit_code, planned(outcome)) == (3, [])
    for expected in (
        "text.mp4: is text",
        "strength is 9",
        "'cry'",
        "voice.wav: is sound without pictures",
        "a file is a file and not a folder",
        "taken.mp4: exists and was not written by facepipe",
        "gone.png: no such file",
        "yaw was set to 500",
        "smile is 'much'",
        "motion.npz: is a motion file, expected a video or sound",
        "--reference is 7, but the driver has 1 frames",
    ):
        assert expected in outcome.stderr
    real = run("batch", "jobs.jsonl")
    assert (real.exit_code, real.stderr) == (3, outcome.stderr)


def test_a_bad_option_of_all_rows_is_one_error(folder: Path) -> None:
    rows = [{"source": "same.png", "driving": "same.mp4", "output": f"{number}.mp4"} for number in range(5)]
    outcome = plan(rows, "--set", "strength=9", "--set", "colour=red")
    assert (outcome.exit_code, outcome.stderr.count("\n")) == (2, 2), outcome.stderr
    assert "--set strength=9: strength is 9.0, expected a number from 0 to 3" in outcome.stderr


def test_a_work_folder_that_is_a_file_fails_the_plan_too(folder: Path) -> None:
    Path("work").write_text("")
    rows = [{"source": "same.png", "driving": "same.mp4", "output": "a.mp4"}]
    assert plan(rows, "--work", "work").exit_code == 3
    assert run("reenact", "same.png", "same.mp4", "-o", "a.mp4", "--dry-run", "--work", "work").exit_code == 3


def test_a_name_of_255_bytes_in_a_folder_costs_one_file(folder: Path) -> None:
    Path("clips").mkdir()
    shutil.copy("same.png", f"clips/{'x' * 251}.png")
    shutil.copy("same.png", "clips/good.png")
    done = run("coefficients", "clips", "-o", "out", "--json")
    assert (done.exit_code, Path("out/good.npz").is_file()) == (4, True), done.stderr
    assert "1 of 2 items failed" in done.stderr
    outcome = run("batch", "clips", "--pair", "product", "--command", "coefficients", "-o", "new/{source}.{ext}")
    assert (outcome.exit_code, "too long" in outcome.stderr) == (3, True), outcome.stderr


def test_a_result_beside_that_of_another_is_refused_with_its_name(folder: Path) -> None:
    shutil.copy("same.png", "one.png")
    Path("out").mkdir()
    assert run("crop", "one.png", "-o", "out/same.png").exit_code == 0
    track = Path("out/same.track.npz").read_bytes()
    met = run("crop", "same.mp4", "-o", "out/same.mp4")
    assert (met.exit_code, "belongs to the result out/same.png" in met.stderr) == (3, True), met.stderr
    assert Path("out/same.track.npz").read_bytes() == track
    assert not Path("out/same.mp4.json").exists()


def test_the_places_are_checked_again_when_a_result_is_delivered(tmp_path: Path) -> None:
    """Another item may have been delivered there while this one was made."""
    made = tmp_path / "made"
    made.write_text("mine")
    output = Output(made, hashlib.sha256(b"mine").hexdigest())
    out = tmp_path / "same.mp4"

    def stop() -> None:
        raise Interrupted("another process delivers there")

    claims, others = (Claims(tmp_path / "claims") for _ in range(2))
    job = Job(Workspace(tmp_path / "work"), {}, claims=claims, check=stop)
    other = Job(Workspace(tmp_path / "work"), {}, claims=others)
    with other.hold_places([out]), pytest.raises(Interrupted):
        deliver(job, {out: output}, {}, overwrite=False)
    assert not out.exists()
    out.write_text("somebody's")
    with pytest.raises(InputError, match="was not written by facepipe"):
        deliver(job, {out: output}, {}, overwrite=False)
    assert out.read_text() == "somebody's"
    deliver(job, {out: output}, {}, overwrite=True)
    assert out.read_text() == "mine"
