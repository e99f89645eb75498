"""The digest of a file is correct, computed once, and computed again when the file may have changed."""

import hashlib
import os
from pathlib import Path

import pytest

from facepipe.engine import digest
from facepipe.engine.digest import CHUNK_BYTES, DigestCache
from facepipe.errors import InputError


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat the files of these tests as old enough for the cache."""
    monkeypatch.setattr(digest, "SETTLED_NS", -1)


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(digest, "_digest_file", refuse)


@pytest.mark.parametrize("size_bytes", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_the_digest_is_the_sha256(tmp_path: Path, size_bytes: int) -> None:
    content = os.urandom(size_bytes)
    (tmp_path / "a").write_bytes(content)
    assert DigestCache(tmp_path / "cache.jsonl").digest(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_a_file_is_read_once_over_all_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = tmp_path / os.fsdecode(b"n\xff\n\xe4\xb8\x80.mp4")
    name.write_bytes(b"x")
    sha256 = DigestCache(tmp_path / "cache.jsonl").digest(name)
    forbid_reading(monkeypatch)
    assert DigestCache(tmp_path / "cache.jsonl").digest(name) == sha256


def test_a_change_with_the_old_size_and_time_is_seen(tmp_path: Path) -> None:
    path, cache = tmp_path / "a", tmp_path / "cache.jsonl"
    path.write_bytes(b"one")
    before = path.stat()
    first = DigestCache(cache).digest(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert DigestCache(cache).digest(path) != first


def test_the_digest_of_a_fresh_file_is_not_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "SETTLED_NS", 10**12)
    (tmp_path / "a").write_bytes(b"x")
    DigestCache(tmp_path / "cache.jsonl").digest(tmp_path / "a")
    assert not (tmp_path / "cache.jsonl").exists()


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")
    monkeypatch.setattr(digest, "_digest_file", lambda path: path.write_bytes(b"xy") and "0" * 64)
    with pytest.raises(InputError, match="changed while it was read"):
        DigestCache(tmp_path / "cache.jsonl").digest(path)


def test_a_path_that_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    cache = DigestCache(tmp_path / "cache.jsonl")
    for name, message in (("gone", "does not exist"), (".", "is a folder"), ("fifo", "not a regular file")):
        with pytest.raises(InputError, match=message):
            cache.digest(tmp_path / name)
