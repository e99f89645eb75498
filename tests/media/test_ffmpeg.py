from pathlib import Path

import pytest

from facepipe.errors import DiskError, EncoderError, ToolError
from facepipe.media import ffmpeg
from facepipe.media.encode import encoding_failure


def _fake(tmp_path: Path, body: str) -> str:
    path = tmp_path / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_the_real_one() -> None:
    program = ffmpeg.find_ffmpeg()
    assert ffmpeg.ffmpeg_version(program)
    assert "libx264" in ffmpeg.encoders(program)
    assert {"scale", "crop"} <= ffmpeg.filters(program)


def test_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = _fake(tmp_path, "echo ffmpeg version 7.1-test")
    monkeypatch.setenv("FACEPIPE_FFMPEG", program)
    assert ffmpeg.find_ffmpeg() == program


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("exit 1", "ended with code 1"),
        ("echo garbage", "starts with 'garbage'"),
        ("exec no-such-program", "is not a working ffmpeg"),
    ],
)
def test_a_broken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, message: str) -> None:
    monkeypatch.setenv("FACEPIPE_FFMPEG", _fake(tmp_path, body))
    with pytest.raises(ToolError, match=message):
        ffmpeg.find_ffmpeg()


def test_one_that_cannot_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ffmpeg"
    path.write_bytes(b"\x00\x01\x02")
    path.chmod(0o755)
    monkeypatch.setenv("FACEPIPE_FFMPEG", str(path))
    with pytest.raises(ToolError, match="could not be run"):
        ffmpeg.find_ffmpeg()


def test_a_wrong_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEPIPE_FFMPEG", "/nowhere/ffmpeg")
    with pytest.raises(ToolError, match="FACEPIPE_FFMPEG names /nowhere/ffmpeg"):
        ffmpeg.find_ffmpeg()


@pytest.mark.parametrize(("given", "expected"), [("3", ["3"]), ("", []), ("many", [])])
def test_filters_use_the_threads_of_the_worker(
    monkeypatch: pytest.MonkeyPatch, given: str, expected: list[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    command = ffmpeg.arguments(ffmpeg.input_file(Path("clip.mp4")).output("pipe:1", format="rawvideo"))
    assert [command[n + 1] for n, argument in enumerate(command) if argument == "-filter_threads"] == expected


def test_the_number_of_decoder_threads_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    command = ffmpeg.arguments(ffmpeg.input_file(Path("clip.mp4")).output("pipe:1", format="rawvideo"))
    assert command[command.index("-threads") + 1] == "2"
    assert command.index("-threads") < command.index("-i")


def test_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEPIPE_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(ffmpeg, "_bundled_ffmpeg", lambda: None)
    with pytest.raises(ToolError, match="ffmpeg was not found; install it"):
        ffmpeg.find_ffmpeg()


def test_a_full_disk_is_distinguished_from_an_encoder_failure(tmp_path: Path) -> None:
    for message, kind in (("av_write: No space left on device", DiskError), ("bad", EncoderError)):
        child = ffmpeg.Child(["/bin/sh", "-c", f"echo {message} >&2; exit 3"])
        error = encoding_failure(tmp_path / "a.mp4", child.wait(), child)
        assert isinstance(error, kind)
        assert message in error.detail
