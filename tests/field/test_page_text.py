"""Names and messages in pages, tables and lines: printable, and no formula."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import pytest

from facepipe.batch.plots import bars
from facepipe.engine.item_log import ItemLog
from facepipe.engine.page_text import cell, escape
from facepipe.engine.stage import Json
from tests.batch.conftest import Bench
from tests.faults.program import run

HOSTILE = os.fsdecode(b"\xff\xfe") + "\x1b[2J\u202egpj.\u200f<b>&=1"


def is_printable(text: str) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in text)


@pytest.fixture
def batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A batch of hostile names, one item made, one failed, each with a remark of a stage."""
    monkeypatch.chdir(tmp_path)
    bench = Bench(tmp_path)
    names = [f"{HOSTILE}{state}" for state in ("good", "bad")]
    bench.write(**{name: name[-3:] for name in names})
    bench.run([{"source": f"{name}.txt"} for name in names], workers=1)
    log = ItemLog(bench.work / "batch" / "journal", about={})
    for key, value in latest(bench.work).items():
        remark: Json = {"code": "hdr", "text": f"track {HOSTILE}: HDR"}
        log.append(key, {**value, "number": value["number"] + 1, "remarks": [remark], "detail": f"{HOSTILE}\nmore"})
    return bench


def latest(work: Path) -> dict[str, dict[str, int]]:
    found = {}
    for journal in (work / "batch" / "journal").glob("*.jsonl"):
        for line in filter(None, journal.read_text().splitlines()):
            key, value = json.loads(line)
            if value.get("state") in ("done", "failed"):
                found[key] = value
    return found


def test_a_page_shows_hostile_names_as_text(batch: Bench) -> None:
    outcome = run("report", batch.work, "-o", batch.folder / "page.html")
    assert outcome.exit_code == 0, outcome.stderr
    page = (batch.folder / "page.html").read_text("utf-8")
    assert is_printable(page)
    assert "\\x1b[2J\\u202egpj.\\u200f&lt;b&gt;&amp;=1good" in page
    assert "\\udcff" in page
    assert "more</details>" in page


@pytest.mark.parametrize("words", [("failures", "--details"), ("stats",), ("stats", "--notes"), ("status",)])
def test_lines_about_hostile_names_are_printable(batch: Bench, words: tuple[str, ...]) -> None:
    outcome = run(words[0], batch.work, *words[1:])
    assert outcome.exit_code == 0, outcome.stderr
    assert is_printable(outcome.stdout)


def test_notes_have_a_line_for_each_item_and_note(batch: Bench) -> None:
    lines = run("stats", batch.work, "--notes").stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["hdr", "turn"], ["hdr", "turn"]]
    notes = [json.loads(line) for line in run("stats", batch.work, "--notes", "--json").stdout.splitlines()]
    assert sorted(note["state"] for note in notes) == ["done", "failed"]
    assert {note["code"] for note in notes} == {"hdr"}
    assert {note["text"] for note in notes} == {f"track {HOSTILE}: HDR"}


def test_labels_of_plots_are_printable() -> None:
    assert is_printable(bars({HOSTILE: 1.0}, "s"))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|'/c calc'!A1"])
def test_a_cell_is_no_formula(text: str) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerow([cell(text), cell("plain.mp4")])
    assert next(csv.reader(io.StringIO(stream.getvalue()))) == [f"'{text}", "plain.mp4"]


def test_a_text_keeps_its_lines_and_letters() -> None:
    assert escape("é 一\n<i>\t") == "é 一\n&lt;i&gt;\\t"
    assert cell(HOSTILE).isprintable()
