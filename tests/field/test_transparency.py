"""Transparent pictures and videos are composed over white, hidden colours do not show, and it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facepipe.errors import ToolError
from facepipe.media import ffmpeg
from facepipe.media.decode import decode_frames
from facepipe.media.image import read_picture
from facepipe.media.probe import probe_video
from tests.pipeline.scene import ffmpeg as write

RED = (255, 0, 0)
GREEN = (0, 128, 0)
# Hidden red at the left, half transparent green in the middle, opaque green at the right.
PICTURE = np.zeros((64, 96, 4), np.uint8)
PICTURE[:, :32] = (*RED, 0)
PICTURE[:, 32:64] = (*GREEN, 128)
PICTURE[:, 64:] = (*GREEN, 255)
SHOWN = [(255, 255, 255), (127, 191, 127), GREEN]

CODECS = {
    "prores.mov": ("-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le"),
    "qtrle.mov": ("-c:v", "qtrle"),
    "png.mov": ("-c:v", "png"),
    "ffv1.mkv": ("-c:v", "ffv1", "-pix_fmt", "bgra"),
    "grey.nut": ("-c:v", "rawvideo", "-pix_fmt", "ya8"),
    "vp8.webm": ("-c:v", "libvpx", "-pix_fmt", "yuva420p", "-auto-alt-ref", "0", "-b:v", "2M"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-b:v", "0", "-crf", "4"),
}
BT2020 = "scale=out_color_matrix=bt2020nc,setparams=colorspace=bt2020nc:color_primaries=bt2020:color_trc=bt709"


def video(path: Path, *args: str) -> Path:
    """Write 10 frames of the picture."""
    still = path.with_suffix(".png")
    Image.fromarray(PICTURE).save(still)
    # VP8 has no tags; its decoder's default is this matrix.
    matrix = "smpte170m" if "libvpx" in args else "bt709"
    tags = ("-colorspace", matrix, "-color_primaries", matrix, "-color_trc", matrix)
    steps = f"scale=out_color_matrix={matrix}"
    write("-loop", "1", "-i", still, "-frames:v", "10", "-vf", steps, *args, *tags, path)
    return path


def middles(frame: np.ndarray) -> list[np.ndarray]:
    return [frame[32, column].astype(int) for column in (16, 48, 80)]


@pytest.mark.parametrize("name", CODECS)
def test_a_video_is_composed_over_white(name: str, tmp_path: Path) -> None:
    info = probe_video(video(tmp_path / name, *CODECS[name]))
    assert [remark.code for remark in info.remarks if remark.code != "colours-guessed"] == ["transparency"]
    frames = list(decode_frames(tmp_path / name, info=info))
    assert len(frames) == 10
    grey = "grey" in name
    for seen, expected in zip(middles(frames[5]), SHOWN, strict=True):
        if not grey:
            np.testing.assert_allclose(seen, expected, atol=4)
        elif expected == SHOWN[0]:
            assert seen.tolist() == [255, 255, 255]


def stills(opaque: bool) -> dict[str, Image.Image]:
    pixels = PICTURE.copy()
    if opaque:
        pixels[..., 3] = 255
    image = Image.fromarray(pixels)
    return {
        "colour.png": image,
        "colour.webp": image,
        "palette.png": image.quantize(16),
        "grey.png": Image.fromarray(pixels[..., [1, 3]]),
    }


@pytest.mark.parametrize("name", stills(opaque=True))
@pytest.mark.parametrize("opaque", [True, False])
def test_it_is_said_of_a_picture(name: str, opaque: bool, tmp_path: Path) -> None:
    """An alpha channel without a transparent pixel hides nothing."""
    stills(opaque)[name].save(tmp_path / name, lossless=True)
    picture = read_picture(tmp_path / name)
    assert [remark.code for remark in picture.remarks] == [] if opaque else ["transparency"]
    if not opaque:
        assert middles(picture.pixels)[0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.gif"])
@pytest.mark.parametrize("opaque", [True, False])
def test_it_is_said_of_an_animation(name: str, opaque: bool, tmp_path: Path) -> None:
    first = stills(opaque=True)["colour.png"]
    second = stills(opaque)["colour.png"].transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    first.save(tmp_path / name, save_all=True, append_images=[second], duration=40, lossless=True, disposal=2)
    remarks = [remark.code for remark in probe_video(tmp_path / name).remarks]
    assert remarks == [] if opaque else ["transparency"]


@pytest.mark.parametrize("turn", [0, 90])
def test_it_is_composed_before_it_is_scaled_and_cropped(turn: int, tmp_path: Path) -> None:
    """No red comes from beside the white."""
    path = video(tmp_path / "a.mov", *CODECS["qtrle.mov"])
    info = probe_video(path).turned(turn)
    box = (1, 1, 61, 63)
    frame = next(decode_frames(path, info=info, crop=box, size=(20, 20)))
    assert (frame[..., 1].astype(int) - frame[..., 0] >= -1).all()


def test_wide_colours_are_converted_and_composed(tmp_path: Path) -> None:
    """The alpha channel passes beside the conversion."""
    plain = video(tmp_path / "plain.mov", *CODECS["prores.mov"])
    path = tmp_path / "wide.mov"
    write("-i", plain, "-vf", f"format=gbrap16,{BT2020}", *CODECS["prores.mov"], path)
    info = probe_video(path)
    assert {"transparency", "colours-converted"} <= {remark.code for remark in info.remarks}
    left, middle, right = middles(next(decode_frames(path, info=info)))
    assert left.tolist() == [255, 255, 255]
    np.testing.assert_allclose(middle, (right + 255) / 2, atol=2)


def test_a_video_without_an_alpha_channel_is_as_before(tmp_path: Path) -> None:
    path = video(tmp_path / "a.mp4", "-c:v", "mpeg4", "-pix_fmt", "yuv420p")
    assert "transparency" not in [remark.code for remark in probe_video(path).remarks]


def test_an_ffmpeg_that_cannot_read_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = video(tmp_path / "a.webm", *CODECS["vp9.webm"])
    monkeypatch.setattr(ffmpeg, "decoders", lambda _: frozenset())
    with pytest.raises(ToolError, match="no decoder libvpx-vp9"):
        next(decode_frames(path))
