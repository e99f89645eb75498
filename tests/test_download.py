"""Downloads: resumed, refused and repaired, from servers of every kind."""

from collections.abc import Callable
from pathlib import Path

import pytest

from facepipe.errors import BusyError, WeightsError
from facepipe.weights import download as download_module
from facepipe.weights.download import _alone, download
from tests.servers import (
    CONTENT,
    SHA256,
    Absent,
    Endless,
    IgnoringRange,
    Server,
    Shorter,
    Silent,
    Truncating,
    Wrong,
    serving,
)


def get(url: str, target: Path, advance: Callable[[int], None] = lambda _bytes: None) -> None:
    download(url, target, sha256=SHA256, size_bytes=len(CONTENT), advance=advance)


def test_download_gives_the_file_its_name_and_leaves_nothing_else(tmp_path: Path) -> None:
    told: list[int] = []
    with serving(Server) as (url, asked):
        get(url, tmp_path / "new" / "toy.bin", told.append)
    assert (tmp_path / "new" / "toy.bin").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["toy.bin"]
    assert asked == [None]
    assert told[-1] == len(CONTENT)


def test_download_goes_on_from_the_part(tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(CONTENT[:1000])
    with serving(Server) as (url, asked):
        get(url, tmp_path / "toy.bin")
    assert (tmp_path / "toy.bin").read_bytes() == CONTENT
    assert asked == ["bytes=1000-"]


def test_download_starts_over_where_the_range_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(b"x" * 1000)
    with serving(IgnoringRange) as (url, asked):
        get(url, tmp_path / "toy.bin")
    assert (tmp_path / "toy.bin").read_bytes() == CONTENT
    assert asked == ["bytes=1000-"]


def test_download_connects_again_while_something_comes(tmp_path: Path) -> None:
    with serving(Truncating) as (url, asked):
        get(url, tmp_path / "toy.bin")
    assert (tmp_path / "toy.bin").read_bytes() == CONTENT
    assert asked == [None, "bytes=40000-", "bytes=80000-"]


def test_download_gives_up_when_nothing_comes_and_keeps_the_part(tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(CONTENT[:1000])
    with (
        serving(Silent) as (url, asked),
        pytest.raises(WeightsError, match=r"1000 of 102400 bytes.*goes on from there"),
    ):
        get(url, tmp_path / "toy.bin")
    assert len(asked) == download_module.IDLE_ATTEMPTS
    assert (tmp_path / "toy.bin.part").stat().st_size == 1000
    assert not (tmp_path / "toy.bin").exists()


@pytest.mark.parametrize("kind", [Wrong, Endless])
def test_download_discards_another_file(tmp_path: Path, kind: type[Server]) -> None:
    with (
        serving(kind) as (url, _),
        pytest.raises(WeightsError, match=r"expected sha256 .*, got|holds more than the 102400"),
    ):
        get(url, tmp_path / "toy.bin")
    assert list(tmp_path.iterdir()) == []


def test_download_discards_a_part_that_is_longer_than_the_servers_file(tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(b"x" * 1000)
    with serving(Shorter) as (url, _), pytest.raises(WeightsError, match="416"):
        get(url, tmp_path / "toy.bin")
    assert list(tmp_path.iterdir()) == []


def test_download_says_what_the_server_said(tmp_path: Path) -> None:
    with serving(Absent) as (url, asked), pytest.raises(WeightsError, match="404 Not Found"):
        get(url, tmp_path / "toy.bin")
    assert len(asked) == 1
    assert list(tmp_path.iterdir()) == []


def test_download_without_a_server(tmp_path: Path) -> None:
    with serving(Server) as (url, _):
        pass
    with pytest.raises(WeightsError, match="got 0 of 102400 bytes"):
        get(url, tmp_path / "toy.bin")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "toy.bin"])
def test_download_takes_http_only(tmp_path: Path, url: str) -> None:
    with pytest.raises(WeightsError, match="expected an http:// or https:// address"):
        get(url, tmp_path / "toy.bin")


def test_two_downloads_of_one_file_do_not_mix(tmp_path: Path) -> None:
    with (
        serving(Server) as (url, asked),
        _alone(tmp_path / "toy.bin.part"),
        pytest.raises(BusyError, match="another process"),
    ):
        get(url, tmp_path / "toy.bin")
    assert asked == []


def test_download_into_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="FACEPIPE_WEIGHTS names another folder"):
        get("http://127.0.0.1:9/x", tmp_path / "file" / "toy.bin")
