"""Job lists, pairs, ids and places."""

from __future__ import annotations

import io
from itertools import chain
from pathlib import Path

import pytest

from facepipe.batch.item import Item, identified, item_of
from facepipe.batch.joblist import Shard
from facepipe.batch.pairing import pair
from facepipe.batch.rows import Row, item_of_row, read_rows, spool
from facepipe.batch.template import placed
from facepipe.errors import InputError, UsageError


def rows_of(path: Path) -> list[Row]:
    rows = list(read_rows(path))
    assert not any(isinstance(row, UsageError) for row in rows), rows
    return [row for row in rows if not isinstance(row, UsageError)]


def test_csv_skips_comments_and_blanks_and_knows_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "jobs.csv"
    path.write_text('\ufeff# a list\n\nsource, driving ,size\n"a, b.jpg",d.mp4,\n  # no\nc.jpg,e.mp4,512\n', "utf-8")
    assert rows_of(path) == [
        (4, {"source": "a, b.jpg", "driving": "d.mp4"}),
        (6, {"source": "c.jpg", "driving": "e.mp4", "size": "512"}),
    ]


def test_jsonl_is_known_by_its_name_or_its_first_character(tmp_path: Path) -> None:
    for name in ("jobs.jsonl", "jobs.txt"):
        path = tmp_path / name
        path.write_text('# a list\n{"source": "a.jpg", "sweep": ["yaw=-1:1", "roll=0:2"]}\n')
        assert rows_of(path) == [(2, {"source": "a.jpg", "sweep": ["yaw=-1:1", "roll=0:2"]})]


def test_every_bad_row_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"source": 1}\n{oops\n[1]\n{"source": "a.jpg"}\n')
    kinds = [isinstance(row, UsageError) for row in read_rows(path)]
    assert kinds == [False, True, True, False]
    path = tmp_path / "jobs.csv"
    path.write_text("source\na,b\nc\n")
    kinds = [isinstance(row, UsageError) for row in read_rows(path)]
    assert kinds == [True, False]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"colour,size\n1,2\n", b"source,source\na,b\n"])
def test_what_is_no_list_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "jobs.csv"
    path.write_bytes(content)
    with pytest.raises((InputError, UsageError)):
        list(read_rows(path))


def test_standard_input_is_read_twice(tmp_path: Path) -> None:
    spool(io.StringIO("source\na.jpg\n"), tmp_path / "list")
    assert rows_of(tmp_path / "list") == rows_of(tmp_path / "list")


def test_the_id_is_that_of_the_content_and_not_of_place_or_template() -> None:
    one = item_of_row({"source": "a.jpg", "driving": "d.mp4", "paste-back": "true"}, command="reenact", common={})
    same = item_of_row({"driver": "d.mp4", "paste_back": "true", "source": "a.jpg", "size": ""}, command="x", common={})
    assert same.id != one.id
    same = item_of_row({"driver": "d.mp4", "paste_back": "true", "source": "a.jpg"}, command="reenact", common={})
    assert same.id == one.id
    assert placed(one, "x/{id}.{ext}", "mp4").id == one.id
    assert item_of(one.as_json()) == one
    other = item_of_row({"source": "a.jpg", "driving": "d.mp4"}, command="reenact", common={"paste-back": "true"})
    assert other.id == one.id


@pytest.mark.parametrize(
    "row", [{}, {"driving": "d.mp4", "driver": "e.mp4"}, {"source": "a", "sample": "-1"}, {"source": "a", "x": {}}]
)
def test_rows_that_make_no_sense_are_refused(row: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        item_of_row(row, command="reenact", common={})


def test_templates() -> None:
    item = identified(Item("reenact", {"source": "x/a.b.jpg", "driving": "y/d.mp4"}, sample=2))
    assert placed(item, "", "mp4").output == "a.b--d.mp4"
    assert placed(item, "o/{source}/{driving}-{sample}-{id}.{ext}", "png").output == f"o/a.b/d-2-{item.id}.png"
    for wrong in ("{banana}", "{", "{source.x}", "{0}"):
        with pytest.raises(UsageError, match="invalid placeholder"):
            placed(item, wrong, "mp4")


def test_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a1.jpg", "a2.jpg", "d1.mp4", "d2.mp4", "d3.mp4"):
        Path(name).touch()
    rows = [tuple(row.values()) for row in pair("product", ["a*.jpg", "d*.mp4"])]
    assert rows == [(a, d) for a in ("a1.jpg", "a2.jpg") for d in ("d1.mp4", "d2.mp4", "d3.mp4")]
    assert [tuple(row.values()) for row in pair("zip", ["a*.jpg", "d[12].mp4"])] == [
        ("a1.jpg", "d1.mp4"),
        ("a2.jpg", "d2.mp4"),
    ]
    with pytest.raises(UsageError, match=r"2 files and .* 3"):
        pair("zip", ["a*.jpg", "d*.mp4"])
    with pytest.raises(UsageError, match="matches no file"):
        list(pair("product", ["a*.jpg", "z*"]))
    assert len(list(pair("product", ["."]))) == 5


def test_shards_part_the_items() -> None:
    items = [identified(Item("reenact", {"source": f"{number}.jpg"})) for number in range(200)]
    for world in (1, 2, 7):
        shards = [[item.id for item in items if Shard(rank, world).has(item)] for rank in range(world)]
        assert sorted(chain(*shards)) == sorted(item.id for item in items)
        assert min(map(len, shards)) > 0
    with pytest.raises(UsageError):
        Shard(2, 2)
