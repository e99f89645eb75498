"""`facepipe doctor` and `facepipe weights`, on this machine and on one that lacks things."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facepipe.cli import app, doctor
from facepipe.errors import ToolError
from facepipe.weights.registry import Weight, write_registry


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with one registered weight, whose file is not there."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path))
    write_registry({"toy": Weight("toy", "toy.bin", "ab" * 32, 1000, "MIT", "made up", "", "http://127.0.0.1:9/toy")})
    return tmp_path


def test_doctor_tells_what_is_there() -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.stderr
    for subject in (
        "facepipe",
        "ffmpeg",
        "libx264",
        "aac",
        "cores",
        "memory",
        "torch",
        "bfloat16",
        "OpenCV",
        "renderer",
        "weights",
    ):
        assert subject in result.stdout
    assert "not fetched" in result.stdout
    assert "ab" * 32 in result.stdout


def test_doctor_speaks_json() -> None:
    lines = CliRunner().invoke(app, ["doctor", "--json"]).stdout.splitlines()
    findings = [json.loads(line) for line in lines]
    assert {tuple(sorted(finding)) for finding in findings} == {("missing", "schema", "subject", "text")}


def test_doctor_ends_with_3_without_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    def find() -> str:
        raise ToolError("ffmpeg was not found; install it")

    monkeypatch.setattr("facepipe.media.ffmpeg.find_ffmpeg", find)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 3
    assert result.stderr == "facepipe: ffmpeg was not found; install it\n"
    assert "cores" in result.stdout


def test_doctor_ends_with_3_without_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facepipe.media.ffmpeg.encoders", lambda _program: frozenset({"aac"}))
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 3
    assert "has no encoder libx264: install" in result.stderr


def test_doctor_ends_with_3_for_a_damaged_weight(folder: Path) -> None:
    (folder / "toy.bin").write_bytes(b"damaged")
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 3
    assert "BAD" in result.stdout
    assert "facepipe weights fetch toy" in result.stderr


def test_doctor_ends_with_3_for_an_unreadable_registry(folder: Path) -> None:
    (folder / "registry.toml").write_text("[[")
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 3
    assert "not a valid weight registry" in result.stderr


def test_doctor_says_so_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    findings = list(doctor._torch())
    assert len(findings) == 1
    assert "pip install torch" in findings[0].missing


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("gpu", [False, True])
def test_doctor_says_where_and_how_precisely_networks_run(
    fast: bool, gpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facepipe.device.bfloat16_is_fast", lambda: fast)
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _device: "Some GPU")
    found = {finding.subject: finding.text for finding in doctor._torch()}
    gpu_text = "Some GPU: renderer networks run on it in bfloat16, other networks on the CPU"
    assert found["GPU"] == (gpu_text if gpu else "none visible to torch: networks run on the CPU")
    precision = "AMX: networks on the CPU run in bfloat16" if fast else "no AMX: networks on the CPU run in float32"
    assert found["bfloat16"] == precision


def test_weights_list() -> None:
    result = CliRunner().invoke(app, ["weights", "list"])
    assert result.exit_code == 0
    assert "toy" in result.stdout
    assert "not here" in result.stdout
    rows = [json.loads(line) for line in CliRunner().invoke(app, ["weights", "list", "--json"]).stdout.splitlines()]
    assert rows[-1]["name"] == "toy"
    assert rows[-1]["paths"] == []


def test_weights_verify(folder: Path) -> None:
    assert CliRunner().invoke(app, ["weights", "verify"]).exit_code == 0
    result = CliRunner().invoke(app, ["weights", "verify", "toy"])
    assert result.exit_code == 3
    assert "MISSING" in result.stdout
    (folder / "toy.bin").write_bytes(b"damaged")
    result = CliRunner().invoke(app, ["weights", "verify"])
    assert result.exit_code == 3
    assert "BAD" in result.stdout
    assert "expected sha256" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["toy", "--all"], ["--all", "--url", "http://x"]])
def test_weights_fetch_wants_names_or_all(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["weights", "fetch", *arguments])
    assert result.exit_code == 2
    assert "or --all" in result.stderr


def test_weights_fetch_without_a_server() -> None:
    result = CliRunner().invoke(app, ["weights", "fetch", "toy"])
    assert result.exit_code == 3
    assert "got 0 of 1000 bytes" in result.stderr
    assert "licence MIT" in result.stderr


def test_weights_add_refuses_an_unknown_space(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["weights", "add", str(tmp_path / "x"), "--space", "flame"])
    assert result.exit_code == 2
    assert "expected linear478 or keypoints68 or arkit52 or imf_tokens or bfm" in result.stderr
