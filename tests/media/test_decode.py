import itertools
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facepipe.errors import InputError, ToolError
from facepipe.media import ffmpeg
from facepipe.media.decode import decode_frames
from facepipe.media.probe import probe_video
from tests.media.sources import H264, pictures, tone

Make = Callable[..., Path]
HDR = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc")


def test_frames_are_upright_and_separate_arrays(clip: Path) -> None:
    frames = list(decode_frames(clip))
    assert len(frames) == 30
    assert all(frame.shape == (64, 96, 3) and frame.dtype == np.uint8 for frame in frames)
    assert not np.shares_memory(frames[0], frames[1])
    assert not np.array_equal(frames[0], frames[-1])


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi"])
@pytest.mark.parametrize("start", [1, 13, 28])
def test_start_frame_is_exact(make: Make, clip: Path, suffix: str, start: int) -> None:
    path = make(f"start.{suffix}", "-i", clip, "-c", "copy")
    frames = list(decode_frames(path))
    part = list(decode_frames(path, start_frame=start, frame_count=2))
    assert len(part) == 2
    assert all(np.array_equal(a, b) for a, b in zip(part, frames[start:], strict=False))


@pytest.mark.parametrize("rate", ["30", "50", "30000/1001"])
@pytest.mark.parametrize("start", [24, 76])
def test_seeking_in_another_rate_finds_the_same_frames(make: Make, rate: str, start: int) -> None:
    """Seeking while resampling (30 to 25, for example) yields the same frames as decoding from the start."""
    path = make(f"{rate.replace('/', '-')}.mp4", *pictures(rate, seconds=4.2), *H264)
    whole = list(decode_frames(path, fps=Fraction(25)))[start : start + 3]
    part = list(decode_frames(path, fps=Fraction(25), start_frame=start, frame_count=3))
    np.testing.assert_array_equal(part, whole)


def test_zero_frames(clip: Path) -> None:
    assert list(decode_frames(clip, frame_count=0)) == []


@pytest.mark.parametrize("crop", [(10, 20, 40, 30), (11, 21, 41, 31)])
def test_a_crop_is_exact(make: Make, crop: tuple[int, int, int, int]) -> None:
    path = make("flat.mp4", "-f", "lavfi", "-i", "mandelbrot=s=96x64:r=5", "-t", "0.4", *H264, "-crf", "4")
    whole, cut = (next(decode_frames(path, crop=box)) for box in (None, crop))
    left, top, width, height = crop
    expected = whole[top : top + height, left : left + width]
    assert cut.shape == expected.shape
    assert np.abs(cut.astype(int) - expected).mean() < 6


def test_a_crop_outside(clip: Path) -> None:
    with pytest.raises(ValueError, match="expected a box inside"):
        decode_frames(clip, crop=(90, 0, 20, 20))


def test_a_size(clip: Path) -> None:
    assert next(decode_frames(clip, size=(33, 17))).shape == (17, 33, 3)


def test_another_rate(clip: Path) -> None:
    assert len(list(decode_frames(clip, fps=Fraction(10)))) == 10


def test_a_variable_rate_becomes_constant(variable_clip: Path) -> None:
    info = probe_video(variable_clip)
    frames = list(decode_frames(variable_clip, info=info))
    assert abs(len(frames) - info.frame_count_estimate) <= 1


def test_a_late_first_frame_is_repeated(make: Make, silent_clip: Path) -> None:
    path = make("late.mp4", "-itsoffset", "0.4", "-i", silent_clip, *tone(), "-c:v", "copy", "-c:a", "aac")
    info = probe_video(path)
    assert info.delay_seconds == pytest.approx(0.4, abs=0.03)
    assert "begins 0.4" in info.remarks[0].text
    frames = list(decode_frames(path, info=info))
    assert abs(len(frames) - 35) <= 1
    assert np.array_equal(frames[0], frames[8])
    assert not np.array_equal(frames[0], frames[14])


@pytest.mark.parametrize(("turn", "clockwise_quarters"), [(90, 3), (-90, 1), (180, 2)])
def test_rotation_is_applied(make: Make, silent_clip: Path, turn: int, clockwise_quarters: int) -> None:
    path = make(f"turn{turn}.mp4", "-display_rotation", str(turn), "-i", silent_clip, "-c", "copy")
    flat, rotated = next(decode_frames(silent_clip)), next(decode_frames(path))
    expected = np.rot90(flat, -clockwise_quarters)
    assert rotated.shape == expected.shape
    assert np.abs(rotated.astype(int) - expected).mean() < 4


def test_odd_sizes(make: Make) -> None:
    path = make("odd.mp4", "-f", "lavfi", "-i", "testsrc=s=95x63:d=0.2", "-c:v", "libx264", "-pix_fmt", "yuv444p")
    assert next(decode_frames(path)).shape == (63, 95, 3)


def test_ten_bits(make: Make) -> None:
    path = make("ten.mp4", *pictures(), "-c:v", "libx264", "-pix_fmt", "yuv420p10le")
    eight = make("eight.mp4", *pictures(), *H264, "-crf", "10")
    assert np.abs(next(decode_frames(path)).astype(int) - next(decode_frames(eight))).mean() < 4


@pytest.fixture(scope="session")
def hdr_clip(make: Make) -> Path:
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc"
    return make("hdr.mp4", *pictures(seconds=0.2), "-vf", f"format=yuv420p10le,{tags}", "-c:v", "libx264", *HDR)


def test_hdr_is_tone_mapped_and_remarked(hdr_clip: Path) -> None:
    if not {"zscale", "tonemap"} <= ffmpeg.filters(ffmpeg.find_ffmpeg()):
        pytest.skip("this ffmpeg cannot tone-map")
    info = probe_video(hdr_clip)
    assert info.is_hdr
    assert "HDR (PQ), tone-mapped" in info.remarks[0].text
    frame = next(decode_frames(hdr_clip, info=info))
    assert 20 < frame.mean() < 235


def test_hdr_is_refused_without_the_filters(hdr_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "filters", lambda program: frozenset({"scale"}))
    with pytest.raises(ToolError, match=r"HDR .*has no filter tonemap and zscale"):
        decode_frames(hdr_clip)


def test_closing_ends_the_child(clip: Path) -> None:
    before = threading.active_count()
    frames = decode_frames(clip)
    next(frames)
    frames.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    "name",
    [
        "-i.mp4",
        "concat:a.mp4",
        "http:x.mp4",
        "a b'c\".mp4",
        "new\nline.mp4",
        "имя видео 视频.mp4",
        "50%d%%.mp4",
        "a|b;c$(x).mp4",
    ],
)
def test_hostile_names(tmp_path: Path, clip: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert len(list(decode_frames(Path(name), frame_count=3))) == 3


def test_damage_in_the_middle(tmp_path: Path, clip: Path) -> None:
    content = bytearray(clip.read_bytes())
    start = content.find(b"mdat") + 100
    content[start : start + 40_000] = bytes(min(40_000, len(content) - start))
    path = tmp_path / "zeros.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"damaged|not a video|moov"):
        list(decode_frames(path))


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_animations_are_videos(tmp_path: Path, kind: str) -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    images = [Image.new("RGB", (20, 10), colour) for colour in colours]
    path = tmp_path / "misnamed.jpg"
    images[0].save(path, kind, save_all=True, append_images=images[1:], duration=[100, 100, 300], lossless=True)
    info = probe_video(path)
    assert (info.width, info.height, info.fps, info.has_sound) == (20, 10, Fraction(10), False)
    frames = list(decode_frames(path))
    assert len(frames) in (3, 5)  # the last frame lasts longer only if the file says so
    for frame, colour in itertools.islice(zip(frames, colours, strict=False), 3):
        assert np.abs(frame.reshape(-1, 3).mean(axis=0) - colour).max() < 8
    assert len(list(decode_frames(path, start_frame=1, frame_count=1, crop=(2, 2, 4, 4), size=(8, 8)))) == 1


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_vvc_has_the_same_frames_in_every_container(make: Make, suffix: str) -> None:
    if "libvvenc" not in ffmpeg.encoders(ffmpeg.find_ffmpeg()):
        pytest.skip("this ffmpeg has no libvvenc")
    path, reference = (
        make(f"vvc.{end}", *pictures(seconds=2), "-c:v", "libvvenc", "-preset", "faster", "-qp", "30")
        for end in (suffix, "mp4")
    )
    info = probe_video(path)
    assert (info.fps, info.frame_count_estimate, info.variable_rate) == (Fraction(25), 50, False)
    for fps, count in ((None, 50), (Fraction(5), 10)):
        frames, wanted = (list(decode_frames(one, fps=fps)) for one in (path, reference))
        assert len(frames) == len(wanted) == count
        assert all(np.array_equal(a, b) for a, b in zip(frames, wanted, strict=True))


def test_small_cineform_is_read(make: Make) -> None:
    path = make("small.mov", *pictures(size="352x288"), "-c:v", "cfhd")
    assert len(list(decode_frames(path))) == 25
