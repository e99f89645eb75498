"""Reading what is to be judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from facepipe.errors import InputError, PrecheckError
from facepipe.evaluate.manifest import Case, Task, read_cases


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4", "face.jpg", "made.mp4"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def listed(folder: Path, text: str, suffix: str = "csv") -> Path:
    path = folder / f"list.{suffix}"
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_and_jsonl_say_the_same(folder: Path) -> None:
    """Comments and empty lines do not count, paths are relative to the list, a byte order mark is no part of a name."""
    csv = listed(folder, "\ufeff# clips\ndriver,source,result\n\na.mp4,face.jpg,made.mp4\nb.mp4,face.jpg,\n")
    rows = (
        '{"driver": "a.mp4", "source": "face.jpg", "result": "made.mp4"}\n{"driver": "b.mp4", "source": "face.jpg"}\n'
    )
    wanted = [
        Case("face--a", folder / "a.mp4", folder / "face.jpg", folder / "made.mp4"),
        Case("face--b", folder / "b.mp4", folder / "face.jpg"),
    ]
    assert read_cases(csv, "cross") == read_cases(listed(folder, rows, "jsonl"), "cross") == wanted


def test_the_first_frame_is_the_source_of_a_clip_repeated(folder: Path) -> None:
    """A list of jobs may be judged as it is: its sources play no part."""
    cases = read_cases(listed(folder, "source,driver\nface.jpg,a.mp4\n"), "same")
    assert cases == [Case("a", folder / "a.mp4")]


def test_names_differ_and_can_name_files(folder: Path) -> None:
    text = "name,driver\n../x,a.mp4\nclip,a.mp4\nclip,b.mp4\nclip-2,b.mp4\n,b.mp4\n"
    names = [case.name for case in read_cases(listed(folder, text), "same")]
    assert len(set(names)) == 5
    assert not any("/" in name or name.startswith(".") for name in names)
    assert names[1] == "clip"


def test_a_folder_of_videos_is_a_list_of_drivers(folder: Path) -> None:
    assert [case.name for case in read_cases(folder, "same")] == ["a", "b", "made"]
    with pytest.raises(InputError, match="a folder of videos does not have"):
        read_cases(folder, "cross")


def test_a_folder_of_data_gives_unseen_identities_only(folder: Path) -> None:
    """Clips by themselves, and each with the portrait of somebody else."""
    (folder / "clips").mkdir()
    (folder / "portraits").mkdir()
    rows = ["kind\tname\tnotes\tfps\thas_audio"]
    for kind, name, who in (
        ("clip", "seen.mp4", "id001"),
        ("clip", "new.mp4", "id023"),
        ("portrait", "own.jpg", "id023"),
        ("portrait", "other.jpg", "id028"),
    ):
        rows.append(f"{kind}\t{name}\tidentity {who}\t25\tno")
        (folder / ("clips" if kind == "clip" else "portraits") / name).write_bytes(b"x")
    (folder / "sources.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert [case.name for case in read_cases(folder, "same")] == ["new"]
    assert [case.name for case in read_cases(folder, "cross")] == ["other--new"]


@pytest.mark.parametrize(
    ("text", "task", "message"),
    [
        ("", "same", "expected a header"),
        ("a.mp4\n", "same", "expected a header"),
        ("driver\n", "same", "lists no cases"),
        ("driver,scource\na.mp4,face.jpg\n", "same", "line 2: unknown column 'scource'"),
        ("driver,source\n\n# x\n,face.jpg\n", "same", "line 4: has no driver"),
        ("driver,source\na.mp4,\n", "cross", "line 2: has no source"),
        ("driver,source\na.mp4\n", "cross", "number of fields differs"),
        ('{"driver": 3}\n', "same", "line 1: expected an object of texts"),
        ('{"driver": "a.mp4"\n', "same", "line 1: is not JSON"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, text: str, task: Task, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_cases(listed(folder, text), task)


def test_all_missing_files_are_named_at_once(folder: Path) -> None:
    path = listed(folder, "driver,source,result\nno.mp4,face.jpg,\na.mp4,none.jpg,not.mp4\n")
    with pytest.raises(PrecheckError) as caught:
        read_cases(path, "cross")
    assert all(name in str(caught.value) for name in ("no.mp4", "none.jpg", "not.mp4"))
    with pytest.raises(InputError, match="cannot be read"):
        read_cases(folder / "absent.csv", "same")
