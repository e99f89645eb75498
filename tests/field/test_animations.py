"""Animated pictures: all frames at their own speed; other files with several pictures say which one is used."""

import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from facepipe.errors import InputError
from facepipe.media.decode import decode_frames
from facepipe.media.files import kind_of
from facepipe.media.image import read_picture
from facepipe.media.probe import probe_video
from tests.pipeline.scene import ffmpeg

FORMATS = [
    "gif",
    "png",
    "webp",
    pytest.param("avif", marks=pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")),
]


def animation(path: Path, delays: float | Sequence[float], frames: int = 24) -> Path:
    """Write frames of which the red channel counts."""
    images = [Image.new("RGB", (32, 24), (index * 10, 128, 128)) for index in range(frames)]
    options = {} if path.suffix == ".gif" else {"lossless": True, "quality": 100}
    images[0].save(path, save_all=True, append_images=images[1:], duration=delays, loop=0, **options)  # type: ignore[arg-type]
    return path


def counted(path: Path) -> list[int]:
    """Return the number in each decoded frame."""
    return [round(float(frame[..., 0].mean()) / 10) for frame in decode_frames(path)]


@pytest.mark.parametrize("kind", FORMATS)
def test_equal_delays(tmp_path: Path, kind: str) -> None:
    path = animation(tmp_path / f"a.{kind}", 40)
    info = probe_video(path)
    assert (info.fps, info.frame_count_estimate, info.variable_rate) == (Fraction(25), 24, False)
    assert counted(path) == list(range(24))


@pytest.mark.parametrize("kind", FORMATS)
def test_uneven_delays(tmp_path: Path, kind: str) -> None:
    path = animation(tmp_path / f"a.{kind}", [40, 80, 120] * 2, frames=6)
    info = probe_video(path)
    assert (info.fps, info.frame_count_estimate, info.variable_rate) == (Fraction(25), 12, True)
    assert counted(path) == [0, 1, 1, 2, 2, 2, 3, 4, 4, 5, 5, 5]


def test_a_last_frame_that_stays(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.webp", [100, 100, 300], frames=3)
    assert counted(path) == [0, 1, 2, 2, 2]
    assert probe_video(path).frame_count_estimate == 5


def test_a_thirtieth_of_a_second(tmp_path: Path) -> None:
    assert probe_video(animation(tmp_path / "a.png", 1000 / 30)).fps == 30


@pytest.mark.parametrize("delay", [0, 10])
def test_short_delays_are_those_of_browsers(tmp_path: Path, delay: int) -> None:
    info = probe_video(animation(tmp_path / "a.gif", delay, frames=4))
    assert (float(info.fps), info.frame_count_estimate) == (10, 4)
    assert [remark.code for remark in info.remarks] == ["short-delays"]


@pytest.mark.parametrize("kind", ["gif", "png"])
def test_a_large_first_frame(tmp_path: Path, kind: str) -> None:
    """The second frame lies far behind the first bytes of the file."""
    noise = np.random.default_rng(0).integers(0, 256, (2, 400, 400, 3), dtype=np.uint8)
    first, second = (Image.fromarray(picture) for picture in noise)
    path = tmp_path / f"a.{kind}"
    first.save(path, save_all=True, append_images=[second], duration=100)
    assert path.stat().st_size > 200_000
    assert probe_video(path).frame_count_estimate == 2


@pytest.mark.parametrize("kind", FORMATS)
def test_one_frame_is_a_picture(tmp_path: Path, kind: str) -> None:
    assert kind_of(animation(tmp_path / f"a.{kind}", 40, frames=1)) == "image"


def test_a_picture_before_the_animation_is_no_frame(tmp_path: Path) -> None:
    images = [Image.new("RGB", (32, 24), (index * 10, 0, 0)) for index in range(4)]
    path = tmp_path / "a.png"
    images[3].save(path, save_all=True, append_images=images[:3], duration=100, default_image=True)
    assert counted(path) == [0, 1, 2]


@pytest.mark.parametrize("kind", ["tiff", "mpo"])
def test_pages_are_remarked(tmp_path: Path, kind: str) -> None:
    path = animation(tmp_path / f"a.{kind}", 0, frames=3)
    picture = read_picture(path)
    assert picture.pixels[0, 0, 0] == pytest.approx(0, abs=3)
    assert [remark.text for remark in picture.remarks] == ["holds 3 pictures; the first is used"]


def test_what_follows_a_jpeg_is_remarked(tmp_path: Path) -> None:
    still, clip = tmp_path / "still.jpg", tmp_path / "clip.mp4"
    Image.new("RGB", (32, 24)).save(still)
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.2", clip)
    assert read_picture(still).remarks == ()
    still.write_bytes(still.read_bytes() + clip.read_bytes())
    assert "a video after its picture" in read_picture(still).remarks[0].text
    stream = tmp_path / "stream.mjpeg"
    ffmpeg("-i", clip, "-c:v", "mjpeg", stream)
    assert "Motion JPEG" in read_picture(stream).remarks[0].text


def test_jpeg_xl_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jxl"
    path.write_bytes(b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(200))
    with pytest.raises(InputError, match="is a JPEG XL file, which may be animated"):
        probe_video(path)


def test_an_hdr_animation_is_tone_mapped(tmp_path: Path) -> None:
    path = animation(tmp_path / "a.png", 40, frames=2)
    content = path.read_bytes()
    chunk = b"cICP\x09\x10\x00\x01"  # BT.2020, PQ
    coded = struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(content[:33] + coded + content[33:])
    assert [remark.code for remark in probe_video(path).remarks] == ["hdr"]
    # 128 of 255 is 93 nit.
    assert next(decode_frames(path))[0, 0, 1] == pytest.approx(255 * (93 / 203) ** (1 / 2.4), abs=25)
