"""The item log: torn lines, many writers, clocks that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from facepipe.engine.item_log import BEGUN, DONE, FAILED, Entries, ItemLog


def entry(number: int, state: str) -> dict[str, object]:
    return {"number": number, "state": state, "key": "k", "run": "r"}


def test_the_later_entry_counts_whatever_the_clock_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (ItemLog(tmp_path, about={}) for _ in range(2))
    monkeypatch.setattr("facepipe.engine.item_log.time.time", lambda: 2e9)
    one.append("a", entry(1, FAILED))  # type: ignore[arg-type]
    monkeypatch.setattr("facepipe.engine.item_log.time.time", lambda: 1e9)
    other.append("a", entry(2, BEGUN))  # type: ignore[arg-type]
    other.append("a", entry(2, DONE))  # type: ignore[arg-type]
    entries = Entries(tmp_path)
    entries.refresh()
    found = entries.get("a")
    assert found
    assert (found.number, found.state) == (2, DONE)


def test_torn_lines_spoil_no_other_and_are_read_when_they_are_whole(tmp_path: Path) -> None:
    journal = ItemLog(tmp_path, about={})
    journal.append("a", entry(1, DONE))  # type: ignore[arg-type]
    with journal.path.open("ab") as stream:
        stream.write(b'\n["b",{"number":1,"sta')
    entries = Entries(tmp_path)
    assert [key for key, _, _ in entries.changes()] == ["a"]
    with journal.path.open("ab") as stream:
        stream.write(b'te":"done"}]')
    assert [key for key, _, _ in entries.changes()] == ["b"]
    with journal.path.open("ab") as stream:
        stream.write(b'\n["torn",{"num')
    journal.append("c", entry(1, DONE))  # type: ignore[arg-type]
    assert [key for key, _, _ in entries.changes()] == ["c"]
    assert list(entries.changes()) == []
    assert len(entries) == 3


def test_a_reader_with_marks_sees_only_what_follows(tmp_path: Path) -> None:
    journal = ItemLog(tmp_path, about={})
    journal.append("a", entry(1, DONE))  # type: ignore[arg-type]
    first = Entries(tmp_path)
    first.refresh()
    entries = Entries(tmp_path, first.offsets)
    journal.append("b", entry(1, DONE))  # type: ignore[arg-type]
    assert [key for key, _, _ in entries.changes()] == ["b"]
    assert entries.get("a") is None
