from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facepipe.errors import DiskError, EncoderError, ToolError, UsageError
from facepipe.media import encode, ffmpeg
from facepipe.media.decode import decode_frames
from facepipe.media.encode import CODECS, VideoWriter, check_codec
from facepipe.media.files import check_output
from facepipe.media.mux import concat_and_mux, verify_video
from facepipe.media.origin import origin_metadata
from facepipe.media.probe import probe_video
from tests.media.sources import tone

Make = Callable[..., Path]
NTSC = Fraction(30000, 1001)


def _frames(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Return frames of a square that moves over a ramp; its position gives the number of the frame."""
    ramp = np.broadcast_to(np.linspace(60, 190, width)[None, :, None], (height, width, 3)).astype(np.uint8)
    frames = []
    for n in range(count):
        frame = ramp.copy()
        frame[8:24, n % (width - 16) : n % (width - 16) + 16] = (220, 60, 40)
        frames.append(frame)
    return frames


def _write(path: Path, frames: list[np.ndarray], fps: Fraction = NTSC, **options: object) -> Path:
    height, width = frames[0].shape[:2]
    with VideoWriter(path, size=(width, height), fps=fps, **options) as writer:  # type: ignore[arg-type]
        for frame in frames:
            writer.write(frame)
    return path


def _close(path: Path, frames: list[np.ndarray], max_error: float = 3.0) -> bool:
    decoded = list(decode_frames(path))
    assert len(decoded) == len(frames)
    return all(np.abs(a.astype(int) - b).mean() < max_error for a, b in zip(decoded, frames, strict=True))


@pytest.mark.parametrize("codec", list(CODECS))
def test_frames_are_decoded_again(tmp_path: Path, codec: str) -> None:
    frames = _frames(13)
    if CODECS[codec].encoder not in ffmpeg.encoders(ffmpeg.find_ffmpeg()):
        pytest.skip(f"this ffmpeg has no {codec}")
    path = _write(tmp_path / "a.mp4", frames, codec=codec)
    verify_video(path, frame_count=13, fps=NTSC, size=(64, 48))
    assert _close(path, frames)
    again = _write(tmp_path / "b.mp4", frames, codec=codec)
    assert path.read_bytes() == again.read_bytes()


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_the_stream_does_not_depend_on_the_processor(
    tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The encoder is told that the processor has nothing beyond SSE2."""
    noise = np.random.default_rng(1).normal(0, 12, (12, 128, 128, 3))
    frames = [np.clip(a + b, 0, 255).astype(np.uint8) for a, b in zip(_frames(12, 128, 128), noise, strict=True)]
    path = _write(tmp_path / "a.mp4", frames, codec=codec)
    own, name = CODECS[codec], f"{CODECS[codec].encoder.removeprefix('lib')}-params"
    older = replace(own, options={**own.options, name: f"{own.options[name]}:asm=sse2"})
    monkeypatch.setattr(encode, "CODECS", {**CODECS, codec: older})
    assert _write(tmp_path / "b.mp4", frames, codec=codec).read_bytes() == path.read_bytes()


def test_the_file_suits_browsers(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.mp4", _frames(5))
    info = probe_video(path)
    assert (info.codec, info.pixel_format, info.transfer, info.matrix) == ("h264", "yuv420p", "bt709", "bt709")
    content = path.read_bytes()
    assert content.find(b"moov") < content.find(b"mdat")
    assert b"avc1" in content
    assert b"Lavf" not in content


def test_odd_sizes_repeat_the_edge(tmp_path: Path) -> None:
    frames = _frames(3, width=63, height=47)
    path = _write(tmp_path / "a.mp4", frames)
    decoded = next(decode_frames(path))
    assert decoded.shape == (48, 64, 3)
    assert np.abs(decoded[:47, :63].astype(int) - frames[0]).mean() < 3
    assert np.abs(decoded[:, 63].astype(int) - decoded[:, 62]).mean() < 6


def test_quality_changes_the_size(tmp_path: Path) -> None:
    noise = list(np.random.default_rng(0).integers(0, 255, (4, 48, 64, 3), dtype=np.uint8))
    sizes = [_write(tmp_path / f"{q}.mp4", noise, quality=q).stat().st_size for q in (0, 50, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] * 3 < sizes[2]


@pytest.mark.parametrize("fps", [NTSC, Fraction(25), Fraction(24000, 1001), Fraction(25, 2)])
def test_rates_stay_exact(tmp_path: Path, fps: Fraction) -> None:
    assert probe_video(_write(tmp_path / "a.mp4", _frames(4), fps)).fps == fps


def _fail_after_a_frame(path: Path) -> None:
    with VideoWriter(path, size=(64, 48), fps=NTSC) as writer:
        writer.write(_frames(1)[0])
        raise RuntimeError


def _lose_the_encoder(path: Path) -> None:
    with VideoWriter(path, size=(64, 48), fps=NTSC) as writer:
        writer.write(_frames(1)[0])
        writer._child.kill()


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        _fail_after_a_frame(tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_writer_without_frames_fails(tmp_path: Path) -> None:
    with (
        pytest.raises(EncoderError, match="no frame was written"),
        VideoWriter(tmp_path / "a.mp4", size=(8, 8), fps=NTSC),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_killed_encoder(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="ffmpeg was killed by signal 9"):
        _lose_the_encoder(tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(UsageError, match="got quality 101, expected 0"):
        VideoWriter(path, size=(8, 8), fps=NTSC, quality=101)
    with pytest.raises(UsageError, match="got codec 'divx', expected one of h264"):
        VideoWriter(path, size=(8, 8), fps=NTSC, codec="divx")
    with pytest.raises(DiskError, match="does not exist; create it"):
        VideoWriter(tmp_path / "none" / "a.mp4", size=(8, 8), fps=NTSC)
    with pytest.raises(DiskError, match="is a folder"):
        check_output(tmp_path)
    with pytest.raises(ValueError, match="got a frame"), VideoWriter(path, size=(8, 8), fps=NTSC) as writer:
        writer.write(np.zeros((9, 8, 3), dtype=np.uint8))


def test_an_absent_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "encoders", lambda program: frozenset({"libx264"}))
    with pytest.raises(ToolError, match=r"no libx265, which h265 needs; it can encode h264; choose one with --codec"):
        check_codec("h265")


def _segments(folder: Path, frames: list[np.ndarray], lengths: list[int]) -> list[Path]:
    paths, start = [], 0
    for number, length in enumerate(lengths):
        paths.append(_write(folder / f"s'{number}\n.mp4", frames[start : start + length]))
        start += length
    return paths


def test_segments_are_joined_without_a_gap(tmp_path: Path) -> None:
    frames = _frames(31)
    segments = _segments(tmp_path, frames, [12, 12, 1, 2, 4])
    facts = concat_and_mux(segments, out=tmp_path / "out.mp4", metadata=origin_metadata())
    assert (facts.frame_count, facts.fps, facts.sound) == (31, NTSC, "none")
    info = probe_video(tmp_path / "out.mp4")
    assert (info.fps, info.frame_count_estimate, info.variable_rate) == (NTSC, 31, False)
    assert _close(tmp_path / "out.mp4", frames)
    first = (tmp_path / "out.mp4").read_bytes()
    concat_and_mux(segments, out=tmp_path / "out.mp4", metadata=origin_metadata())
    assert (tmp_path / "out.mp4").read_bytes() == first
    assert first.count(b"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia") == 2
    assert first.find(b"moov") < first.find(b"mdat")


@pytest.mark.parametrize(
    ("fit", "seconds", "count", "sound"),
    [
        ("shortest", 2.0, 30, "copied"),
        ("shortest", 0.5, 15, "copied"),
        ("driver", 2.0, 30, "copied"),
        ("driver", 0.5, 30, "copied"),
        ("pad", 2.0, 60, "copied"),
        ("pad", 0.5, 30, "encoded"),
    ],
)
def test_fits(tmp_path: Path, make: Make, fit: str, seconds: float, count: int, sound: str) -> None:
    driver = make(f"tone{seconds}.m4a", *tone(seconds), "-c:a", "aac")
    segments = _segments(tmp_path, _frames(30), [20, 10])
    out = tmp_path / "out.mp4"
    facts = concat_and_mux(segments, out=out, sound_from=driver, fit=fit)  # type: ignore[arg-type]
    assert facts.sound == sound
    assert abs(facts.frame_count - count) <= 2
    info = probe_video(out)
    assert (info.has_sound, info.sound_codec) == (True, "aac")
    assert info.frame_count_estimate == facts.frame_count


def test_foreign_sound_becomes_aac(tmp_path: Path, make: Make) -> None:
    segments = _segments(tmp_path, _frames(30), [30])
    facts = concat_and_mux(segments, out=tmp_path / "o.mp4", sound_from=make("a.wav", *tone()), sound_start_seconds=0.0)
    assert facts.sound == "encoded"


def test_a_silent_driver_gives_a_silent_result(tmp_path: Path, silent_clip: Path) -> None:
    segments = _segments(tmp_path, _frames(5), [5])
    assert concat_and_mux(segments, out=tmp_path / "o.mp4", sound_from=silent_clip).sound == "none"


def test_verify_video_detects_a_missing_frame(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.mp4", _frames(5))
    with pytest.raises(EncoderError, match=r"has 5 frames of 64x48 .*expected 6"):
        verify_video(path, frame_count=6, fps=NTSC, size=(64, 48))


@pytest.mark.parametrize("name", ["-o.mp4", "http:x.mp4", "a'b\n\"c.mp4", "результат %03d.mp4"])
def test_hostile_names_of_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    _write(Path(name), _frames(2))
    concat_and_mux([Path(name)], out=Path("x" + name))
    assert sorted(entry.name for entry in Path().iterdir()) == sorted([name, "x" + name])
