"""The registry of weights: find, fetch, add."""

import hashlib
import json
import struct
from pathlib import Path

import pytest

from facepipe import weights
from facepipe.errors import ExitCode, WeightsError
from facepipe.weights.registry import Weight, read_registry, write_registry
from tests.servers import CONTENT, SHA256, Server, serving


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder, still missing."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    return tmp_path / "mine"


def entry(**changes: object) -> Weight:
    fields = {
        "name": "toy",
        "file": "toy.bin",
        "sha256": SHA256,
        "bytes": len(CONTENT),
        "licence": "MIT",
        "source": "s",
    }
    return Weight(**{**fields, **changes})  # type: ignore[arg-type]


def register(folder: Path, *entries: Weight) -> None:
    folder.mkdir(exist_ok=True)
    write_registry({weight.name: weight for weight in entries})


def write_safetensors(path: Path, values: bytes = b"\0\0\x80\x3f") -> Path:
    header = json.dumps({"a": {"dtype": "F32", "shape": [len(values) // 4], "data_offsets": [0, len(values)]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + values)
    return path


def test_find_verifies(folder: Path) -> None:
    register(folder, entry())
    (folder / "toy.bin").write_bytes(CONTENT)
    assert weights.find("toy") == weights.WeightFile("toy", folder / "toy.bin", SHA256)


def test_find_reports_file_digests_and_remedy(folder: Path) -> None:
    register(folder, entry())
    (folder / "toy.bin").write_bytes(b"else")
    with pytest.raises(WeightsError) as caught:
        weights.find("toy")
    for part in (
        str(folder / "toy.bin"),
        SHA256,
        hashlib.sha256(b"else").hexdigest(),
        "facepipe weights add FILE --name toy",
    ):
        assert part in str(caught.value)
    assert caught.value.exit_code == ExitCode.PRECHECK


def test_find_detects_a_file_that_changed_after_verification(folder: Path) -> None:
    register(folder, entry())
    (folder / "toy.bin").write_bytes(CONTENT)
    weights.find("toy")
    (folder / "toy.bin").write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsError, match="102399 bytes"):
        weights.find("toy")


def test_find_reads_a_file_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(folder, entry())
    (folder / "toy.bin").write_bytes(CONTENT)
    weights.find("toy")
    monkeypatch.setattr("facepipe.weights.store.digest_stream", None)
    assert weights.find("toy").sha256 == SHA256


def test_find_reports_missing_and_unknown_weights(folder: Path) -> None:
    register(folder, entry(url="http://example.org/toy.bin"))
    with pytest.raises(WeightsError, match="not on this machine: facepipe weights fetch toy"):
        weights.find("toy")
    with pytest.raises(WeightsError, match=r"no weight is named 'tyo' \(registered: .*toy\)"):
        weights.find("tyo")


def test_fetch_downloads_missing_and_damaged_weights(folder: Path) -> None:
    with serving(Server) as (url, ranges):
        register(folder, entry(url=url))
        assert weights.fetch("toy").path.read_bytes() == CONTENT
        weights.fetch("toy")
        assert ranges == [None]
        (folder / "toy.bin").write_bytes(b"damaged")
        assert weights.fetch("toy").path.read_bytes() == CONTENT


def test_fetch_accepts_another_url(folder: Path) -> None:
    register(folder, entry())
    with pytest.raises(WeightsError, match="has no URL for the weight toy"):
        weights.fetch("toy")
    with serving(Server) as (url, _):
        assert weights.fetch("toy", url).sha256 == SHA256


def test_add_copies_and_registers(tmp_path: Path, folder: Path) -> None:
    path = write_safetensors(tmp_path / "a b.safetensors")
    note = 'a "quoted" \\ note, naïve 🎭 \x7f'
    first = weights.add(path, name="mine", licence="CC0-1.0", source=note, space="bfm")
    path.unlink()
    assert weights.find("mine") == first
    assert first.path.parent == folder
    assert weights.lookup("mine").source == note
    assert sorted(path.name for path in folder.iterdir()) == ["mine.safetensors", "registry.toml"]


def test_add_replaces_only_on_request(tmp_path: Path) -> None:
    one = write_safetensors(tmp_path / "one")
    two = write_safetensors(tmp_path / "two", b"\0\0\0\0")
    weights.add(one, name="mine", licence="", source="")
    weights.add(one, name="mine", licence="", source="")
    with pytest.raises(WeightsError, match="--replace"):
        weights.add(two, name="mine", licence="", source="")
    assert weights.find("mine").path.read_bytes() == one.read_bytes()
    weights.add(two, name="mine", licence="", source="", replace=True)
    assert weights.find("mine").path.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"PK\x03\x04rest", "pickled checkpoints"),
        (b"\x80\x02}q\x00.", "a pickle"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"", "not a complete safetensors file"),
        (b"\xff" * 100, "not a complete safetensors file"),
    ],
)
def test_add_accepts_only_safetensors(tmp_path: Path, folder: Path, content: bytes, found: str) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match=found) as caught:
        weights.add(tmp_path / "x.safetensors", name="x", licence="", source="")
    assert "facepipe weights add KIND FILE" in str(caught.value)
    assert not folder.exists()


def test_add_refuses_truncated_and_missing_files_and_folders(tmp_path: Path) -> None:
    whole = write_safetensors(tmp_path / "whole")
    (tmp_path / "cut").write_bytes(whole.read_bytes()[:-1])
    for name in ("cut", "missing", "."):
        with pytest.raises(WeightsError, match=r"complete safetensors|cannot read"):
            weights.add(tmp_path / name, name="x", licence="", source="")


@pytest.mark.parametrize("name", ["", "..", ".x", "-x", "a/b", "a b", "ä", "a\\b"])
def test_add_refuses_invalid_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(WeightsError, match="not a valid weight name"):
        weights.add(write_safetensors(tmp_path / "one"), name=name, licence="", source="")


def test_an_embedded_weight_cannot_be_overridden(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = tmp_path / "embedded"
    embedded.mkdir()
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(embedded))
    register(embedded, entry())
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(folder))
    for module in ("registry", "store", "adding"):
        monkeypatch.setattr(f"facepipe.weights.{module}.embedded_folder", lambda: embedded, raising=False)
    with pytest.raises(WeightsError, match="ships with facepipe"):
        weights.add(write_safetensors(tmp_path / "one"), name="toy", licence="", source="")
    register(folder, entry(sha256="0" * 64))
    assert weights.lookup("toy").sha256 == SHA256
    with pytest.raises(WeightsError, match="reinstall"):
        weights.find("toy")
    # A damaged embedded file does not prevent the use of a correct one in the user's folder.
    (embedded / "toy.bin").write_bytes(b"damaged")
    (folder / "toy.bin").write_bytes(CONTENT)
    assert weights.find("toy").path == folder / "toy.bin"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[[weight]", "not a valid weight registry"),
        ('[[weight]]\nname = "a"', "'a' lacks file, sha256, bytes, licence, source"),
        ('[[weight]]\nname = "a"\ncolour = "red"', "unknown key 'colour'"),
        ('[[weight]]\nname = "a"\nbytes = "many"', "expected int"),
        ("weight = 3", "not a valid weight registry"),
        ("{ENTRY}{ENTRY}", "registers the same name twice"),
    ],
)
def test_an_invalid_registry_is_reported(tmp_path: Path, folder: Path, text: str, fault: str) -> None:
    register(folder, entry())
    whole = (folder / "registry.toml").read_text()
    (tmp_path / "registry.toml").write_text(text.replace("{ENTRY}", whole))
    with pytest.raises(WeightsError, match=fault) as caught:
        read_registry(tmp_path / "registry.toml")
    assert str(tmp_path / "registry.toml") in str(caught.value)


@pytest.mark.parametrize("changes", [{"sha256": "ABC"}, {"file": "../x"}, {"file": "registry.toml"}, {"bytes": -1}])
def test_a_registry_with_an_invalid_entry_is_refused(folder: Path, changes: dict[str, object]) -> None:
    register(folder, entry(**changes))
    with pytest.raises(WeightsError, match="of entry 'toy' is"):
        weights.registered()


def test_embedded_weights_are_registered_verified_licensed_and_have_a_card() -> None:
    folder = weights.embedded_folder()
    shipped = [weight for weight in read_registry(folder / "registry.toml").values() if not weight.url]
    assert {path.name for path in folder.glob("*.safetensors")} == {weight.file for weight in shipped}
    for weight in shipped:
        assert weights.find(weight.name).sha256 == weight.sha256
        assert weight.licence
        assert (folder / weight.file).with_suffix(".md").is_file(), f"{weight.name} has no card"
