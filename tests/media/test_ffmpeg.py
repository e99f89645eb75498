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
    ("body", "words"),
    [
        ("exit 1", "ended with code 1"),
        ("echo garbage", "said 'garbage'"),
        ("exec no-such-program", "is no working ffmpeg"),
    ],
)
def test_a_broken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, words: str) -> None:
    monkeypatch.setenv("FACEPIPE_FFMPEG", _fake(tmp_path, body))
    with pytest.raises(ToolError, match=words):
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
def test_filters_keep_to_the_threads_of_a_worker(
    monkeypatch: pytest.MonkeyPatch, given: str, expected: list[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    words = ffmpeg.arguments(ffmpeg.input_file(Path("clip.mp4")).output("pipe:1", format="rawvideo"))
    assert [words[n + 1] for n, word in enumerate(words) if word == "-filter_threads"] == expected


def test_the_threads_of_a_decoder_depend_on_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    words = ffmpeg.arguments(ffmpeg.input_file(Path("clip.mp4")).output("pipe:1", format="rawvideo"))
    assert words[words.index("-threads") + 1] == "2"
    assert words.index("-threads") < words.index("-i")


def test_none_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEPIPE_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(ffmpeg, "_bundled_ffmpeg", lambda: None)
    with pytest.raises(ToolError, match="ffmpeg was not found; install it"):
        ffmpeg.find_ffmpeg()


def test_a_full_disk_is_told_from_a_bad_encoder(tmp_path: Path) -> None:
    for words, kind in (("av_write: No space left on device", DiskError), ("bad", EncoderError)):
        child = ffmpeg.Child(["/bin/sh", "-c", f"echo {words} >&2; exit 3"])
        error = encoding_failure(tmp_path / "a.mp4", child.wait(), child)
        assert isinstance(error, kind)
        assert words in error.detail
