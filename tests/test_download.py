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


def test_download_renames_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    progress: list[int] = []
    with serving(Server) as (url, ranges):
        get(url, tmp_path / "new" / "toy.bin", progress.append)
    assert (tmp_path / "new" / "toy.bin").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["toy.bin"]
    assert ranges == [None]
    assert progress[-1] == len(CONTENT)


def test_download_resumes_from_the_part(tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(CONTENT[:1000])
    with serving(Server) as (url, ranges):
        get(url, tmp_path / "toy.bin")
    assert (tmp_path / "toy.bin").read_bytes() == CONTENT
    assert ranges == ["bytes=1000-"]


def test_download_starts_over_if_the_range_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(b"x" * 1000)
    with serving(IgnoringRange) as (url, ranges):
        get(url, tmp_path / "toy.bin")
    assert (tmp_path / "toy.bin").read_bytes() == CONTENT
    assert ranges == ["bytes=1000-"]


def test_download_reconnects_while_data_arrives(tmp_path: Path) -> None:
    with serving(Truncating) as (url, ranges):
        get(url, tmp_path / "toy.bin")
    assert (tmp_path / "toy.bin").read_bytes() == CONTENT
    assert ranges == [None, "bytes=40000-", "bytes=80000-"]


def test_download_gives_up_without_data_and_keeps_the_part(tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(CONTENT[:1000])
    with (
        serving(Silent) as (url, ranges),
        pytest.raises(WeightsError, match=r"1000 of 102400 bytes.*run this again to resume it"),
    ):
        get(url, tmp_path / "toy.bin")
    assert len(ranges) == download_module.IDLE_ATTEMPTS
    assert (tmp_path / "toy.bin.part").stat().st_size == 1000
    assert not (tmp_path / "toy.bin").exists()


@pytest.mark.parametrize("kind", [Wrong, Endless])
def test_download_discards_another_file(tmp_path: Path, kind: type[Server]) -> None:
    with (
        serving(kind) as (url, _),
        pytest.raises(WeightsError, match=r"expected sha256 .*, got|larger than the 102400 bytes"),
    ):
        get(url, tmp_path / "toy.bin")
    assert list(tmp_path.iterdir()) == []


def test_download_discards_a_part_that_is_longer_than_the_servers_file(tmp_path: Path) -> None:
    (tmp_path / "toy.bin.part").write_bytes(b"x" * 1000)
    with serving(Shorter) as (url, _), pytest.raises(WeightsError, match="416"):
        get(url, tmp_path / "toy.bin")
    assert list(tmp_path.iterdir()) == []


def test_download_reports_the_status_of_the_server(tmp_path: Path) -> None:
    with serving(Absent) as (url, ranges), pytest.raises(WeightsError, match="404 Not Found"):
        get(url, tmp_path / "toy.bin")
    assert len(ranges) == 1
    assert list(tmp_path.iterdir()) == []


def test_download_without_a_server(tmp_path: Path) -> None:
    with serving(Server) as (url, _):
        pass
    with pytest.raises(WeightsError, match="got 0 of 102400 bytes"):
        get(url, tmp_path / "toy.bin")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "toy.bin"])
def test_download_accepts_only_http(tmp_path: Path, url: str) -> None:
    with pytest.raises(WeightsError, match="expected an http:// or https:// address"):
        get(url, tmp_path / "toy.bin")


def test_two_downloads_of_one_file_do_not_mix(tmp_path: Path) -> None:
    with (
        serving(Server) as (url, ranges),
        _alone(tmp_path / "toy.bin.part"),
        pytest.raises(BusyError, match="another process"),
    ):
        get(url, tmp_path / "toy.bin")
    assert ranges == []


def test_download_into_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="set FACEPIPE_WEIGHTS to another folder"):
        get("http://127.0.0.1:9/x", tmp_path / "file" / "toy.bin")
