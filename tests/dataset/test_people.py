"""Persons of files by table, name and folder, and their splits."""

from pathlib import Path, PurePath

import pytest

from facepipe.dataset.people import People, clip_name, find_people
from facepipe.errors import InputError, UsageError


@pytest.mark.parametrize(
    ("name", "person", "clip"),
    [
        ("anna#talk#1.mp4", "anna", "anna#talk#1"),
        ("anna/talk/1.mp4", "anna", "anna#talk#1"),
        ("talk.mp4", "talk", "talk"),
        ("#1.mp4", "#1", "#1"),
        ("two words/a b.mp4", "two words", "two_words#a_b"),
    ],
)
def test_names_contain_persons(name: str, person: str, clip: str) -> None:
    path = PurePath(name)
    assert People().person(path) == person
    assert clip_name(person, path) == clip


def test_the_table_has_precedence(tmp_path: Path) -> None:
    table = tmp_path / "people.csv"
    table.write_text("file,person,split\na/1.mp4,anna,test\n2.mp4,id023,train\n3,otto,\n", encoding="utf-8")
    people = find_people(tmp_path, table)
    assert [people.person(PurePath(name)) for name in ("a/1.mp4", "b/2.mp4", "3.mp4")] == ["anna", "id023", "otto"]
    assert [people.split(person) for person in ("anna", "id023", "otto")] == ["test", "unseen", "train"]
    with pytest.raises(InputError, match=r"4\.mp4 is not in the table"):
        people.person(PurePath("4.mp4"))


def test_errors_in_the_table_are_reported(tmp_path: Path) -> None:
    table = tmp_path / "people.tsv"
    for text, message in (
        ("name\tperson\na\tb\n", "expected file and person"),
        ("file\tperson\tsplit\na\tb\tbest\n", "line 2: the split is 'best'"),
        ("file\tperson\tsplit\na\tb\ttest\nc\tb\ttrain\n", "line 3: b is in 'train' here and in 'test' before"),
        ("file\tperson\n", "no rows"),
    ):
        table.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError, match=message):
            find_people(tmp_path, table)


def test_splits_depend_on_the_name_and_voxceleb_keeps_its_own() -> None:
    names = [f"person {number}" for number in range(1000)]
    few, more = People(test_percent=5), People(test_percent=10)
    in_few, in_more = ({name for name in names if people.split(name) == "test"} for people in (few, more))
    assert 30 < len(in_few) < 70
    assert in_few < in_more
    assert [People().split(f"id{number}") for number in (10269, 10270, 10309, 10310)] == [
        "train", "test", "test", "train",
    ]  # fmt: skip


def test_sources_table_of_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    row = "x.mp4\tclip\trepo\tpath\tMIT\t512\t512\t25\t78\tno\t3.1 s; identity id023; face 273 px\n"
    head = "name\tkind\tsource_repository\tpath\tlicense\twidth\theight\tfps\tframes\thas_audio\tnotes\n"
    (tmp_path / "sources.tsv").write_text(head + row, encoding="utf-8")
    people = find_people(tmp_path / "clips", None)
    assert people.person(PurePath("x.mp4")) == "id023"
    assert people.split("id023") == "unseen"
