"""Journals survive kills and take the lines of several processes."""

import subprocess
import sys
from pathlib import Path

from facepipe.engine import journal
from facepipe.engine.journal import JsonlJournal

APPEND = (
    "import sys, pathlib\nfrom facepipe.engine.journal import JsonlJournal\n"
    "j = JsonlJournal(pathlib.Path(sys.argv[1]))\n"
)


def test_the_last_value_of_a_key_counts(tmp_path: Path) -> None:
    first: JsonlJournal[str] = JsonlJournal(tmp_path / "j.jsonl")
    first.set("a", "1")
    first.set("b", "2")
    first.set("a", "3")
    assert JsonlJournal[str](tmp_path / "j.jsonl").values == {"a": "3", "b": "2"}


def test_a_value_that_stands_there_is_not_written_again(tmp_path: Path) -> None:
    JsonlJournal[str](tmp_path / "j.jsonl").set("a", "1")
    before = (tmp_path / "j.jsonl").read_bytes()
    JsonlJournal[str](tmp_path / "j.jsonl").set("a", "1")
    assert (tmp_path / "j.jsonl").read_bytes() == before


def test_torn_and_foreign_lines_spoil_no_other(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'\n["a","1"]\n["b"]\n{}\n\x00\xff\nnull\n["c","3"')
    JsonlJournal[str](path).set("d", "4")
    assert JsonlJournal[str](path).values == {"a": "1", "d": "4"}


def test_processes_append_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    code = APPEND + "[j.set(sys.argv[2] + str(i), 'x' * 200) for i in range(300)]"
    children = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in "ab"]
    assert [child.wait() for child in children] == [0, 0]
    assert set(JsonlJournal[str](path).values) == {name + str(i) for name in "ab" for i in range(300)}


def test_a_long_journal_is_made_short(tmp_path: Path, monkeypatch: object) -> None:
    path = tmp_path / "j.jsonl"
    kept: JsonlJournal[int] = JsonlJournal(path)
    for number in range(journal.SPARE_LINES + 50):
        kept.set("a", number)
    assert path.read_bytes().count(b"\n") < 100
    assert JsonlJournal[int](path).values == {"a": journal.SPARE_LINES + 49}
    assert [entry.name for entry in tmp_path.iterdir()] == ["j.jsonl"]


def test_without_a_folder_nothing_is_written_until_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "work" / "jobs" / "j.jsonl"
    kept: JsonlJournal[str] = JsonlJournal(path)
    kept.set("a", "1")
    assert kept.values == {"a": "1"}
    assert not (tmp_path / "work").exists()
    (tmp_path / "work").mkdir()
    kept.save()
    assert JsonlJournal[str](path).values == {"a": "1"}
