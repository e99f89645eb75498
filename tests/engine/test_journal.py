"""Journals survive kills and are shared by several processes."""

import subprocess
import sys
from pathlib import Path

from facepipe.engine import journal
from facepipe.engine.journal import Journal

APPEND = "import sys, pathlib\nfrom facepipe.engine.journal import Journal\nj = Journal(pathlib.Path(sys.argv[1]))\n"


def test_the_last_value_of_a_key_counts(tmp_path: Path) -> None:
    first: Journal[str] = Journal(tmp_path / "j.jsonl")
    first.set("a", "1")
    first.set("b", "2")
    first.set("a", "3")
    assert Journal[str](tmp_path / "j.jsonl").values == {"a": "3", "b": "2"}


def test_an_unchanged_value_is_not_written_again(tmp_path: Path) -> None:
    Journal[str](tmp_path / "j.jsonl").set("a", "1")
    before = (tmp_path / "j.jsonl").read_bytes()
    Journal[str](tmp_path / "j.jsonl").set("a", "1")
    assert (tmp_path / "j.jsonl").read_bytes() == before


def test_torn_and_invalid_lines_do_not_affect_others(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'\n["a","1"]\n["b"]\n{}\n\x00\xff\nnull\n["c","3"')
    Journal[str](path).set("d", "4")
    assert Journal[str](path).values == {"a": "1", "d": "4"}


def test_processes_append_concurrently(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    code = APPEND + "[j.set(sys.argv[2] + str(i), 'x' * 200) for i in range(300)]"
    children = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in "ab"]
    assert [child.wait() for child in children] == [0, 0]
    assert set(Journal[str](path).values) == {name + str(i) for name in "ab" for i in range(300)}


def test_a_long_journal_is_compacted(tmp_path: Path, monkeypatch: object) -> None:
    path = tmp_path / "j.jsonl"
    one: Journal[int] = Journal(path)
    for number in range(journal.SPARE_LINES + 50):
        one.set("a", number)
    assert path.read_bytes().count(b"\n") < 100
    assert Journal[int](path).values == {"a": journal.SPARE_LINES + 49}
    assert [entry.name for entry in tmp_path.iterdir()] == ["j.jsonl"]


def test_values_are_written_once_the_folder_exists(tmp_path: Path) -> None:
    path = tmp_path / "work" / "jobs" / "j.jsonl"
    one: Journal[str] = Journal(path)
    one.set("a", "1")
    assert one.values == {"a": "1"}
    assert not (tmp_path / "work").exists()
    (tmp_path / "work").mkdir()
    one.save()
    assert Journal[str](path).values == {"a": "1"}
