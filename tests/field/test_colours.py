"""Videos in other colours than BT.709: they look like the original, whatever their transfer, matrix and range."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from facepipe.media import ffmpeg
from facepipe.media.decode import decode_frames
from facepipe.media.image import read_picture
from facepipe.media.probe import probe_video

REC709 = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
LINEAR = "zscale=t=linear:npl=203,format=gbrpf32le"


def convert(source: Path, target: Path, steps: str, **tags: str) -> Path:
    """Encode almost without loss through filters, and tag the result."""
    options = [part for name, tag in tags.items() for part in (f"-{name}", tag)]
    command = [ffmpeg.find_ffmpeg(), "-y", "-v", "error", "-i", str(source), "-vf", f"{REC709},{steps}"]
    subprocess.run(
        [*command, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "6", *options, str(target)], check=True
    )
    return target


def tags(primaries: str, transfer: str, matrix: str, full: str = "tv") -> dict[str, str]:
    return {"color_primaries": primaries, "color_trc": transfer, "colorspace": matrix, "color_range": full}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames of a face, 128x128, BT.709."""
    folder = tmp_path_factory.mktemp("colours")
    face = data.astronaut()[20:276, 100:356]  # type: ignore[no-untyped-call]
    Image.fromarray(face).resize((128, 128), Image.Resampling.LANCZOS).save(folder / "face.png")
    command = [ffmpeg.find_ffmpeg(), "-y", "-v", "error", "-loop", "1", "-t", "0.4", "-i", str(folder / "face.png")]
    steps = [
        "-vf",
        "scale=out_color_matrix=bt709,format=yuv420p",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-crf",
        "6",
    ]
    named = [part for name, tag in tags("bt709", "bt709", "bt709").items() for part in (f"-{name}", tag)]
    subprocess.run([*command, *steps, *named, str(folder / "original.mp4")], check=True)
    return folder / "original.mp4"


@pytest.fixture(scope="module", autouse=True)
def _full_ffmpeg() -> None:
    if not {"zscale", "tonemap"} <= ffmpeg.filters(ffmpeg.find_ffmpeg()):
        pytest.skip("this ffmpeg cannot make such clips")


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
@pytest.mark.parametrize("matrix", ["bt2020nc", "ictcp"])
@pytest.mark.parametrize("full", ["tv", "pc"])
def test_hdr_looks_like_the_original(tmp_path: Path, original: Path, transfer: str, matrix: str, full: str) -> None:
    steps = f"{LINEAR},zscale=p=bt2020,zscale=t={transfer}:npl=203:m={matrix}:r={full},format=yuv420p10le"
    path = convert(original, tmp_path / "hdr.mov", steps, **tags("bt2020", transfer, matrix, full))
    wanted, frames = np.stack(list(decode_frames(original))), np.stack(list(decode_frames(path)))
    assert len(frames) == 10
    assert frames.mean() == pytest.approx(wanted.mean(), rel=0.02)
    assert np.abs(frames.astype(int) - wanted).mean() < 4
    assert [remark.code for remark in probe_video(path).remarks] == ["hdr"]


def test_highlights_roll_off(tmp_path: Path, original: Path) -> None:
    steps = f"{LINEAR},exposure=exposure=1.3,zscale=p=bt2020,zscale=t=smpte2084:npl=203:m=bt2020nc,format=yuv420p10le"
    path = convert(original, tmp_path / "bright.mov", steps, **tags("bt2020", "smpte2084", "bt2020nc"))
    before, after = next(decode_frames(original)).astype(int), next(decode_frames(path)).astype(int)
    assert after.max() < 255  # white at 500 nit
    # Brighter is brighter, up to the brightest: nothing is clipped to one value.
    bright, white = after[before.min(-1) > 200], after[before.min(-1) > 235]
    assert before.mean() * 1.15 < after.mean()
    assert white.mean() > bright.mean() + 2


@pytest.mark.parametrize(
    ("name", "steps", "labels"),
    [
        ("full", "scale=out_range=pc,format=yuv444p", {"color_range": "pc", "colorspace": "bt709"}),
        ("fcc", "scale=out_color_matrix=fcc,format=yuv444p", {"colorspace": "fcc"}),
        ("smpte240m", "scale=out_color_matrix=smpte240m,format=yuv444p", {"colorspace": "smpte240m"}),
        ("ycgco", "zscale=m=ycgco,format=yuv444p", {"colorspace": "ycgco"}),
        (
            "bt2020",
            "zscale=p=bt2020:t=bt2020-10:m=bt2020nc,format=yuv420p10le",
            tags("bt2020", "bt2020-10", "bt2020nc"),
        ),
        ("bt2020c", "zscale=p=bt2020:t=bt2020-10:m=bt2020c,format=yuv420p10le", tags("bt2020", "bt2020-10", "bt2020c")),
        ("p3", "zscale=p=smpte432,format=yuv420p", tags("smpte432", "bt709", "bt709")),
        ("log", "zscale=tin=iec61966-2-1:t=log316,format=yuv444p10le", tags("bt709", "log316", "bt709")),
        ("linear", "zscale=tin=iec61966-2-1:t=linear,format=yuv444p10le", tags("bt709", "linear", "bt709")),
    ],
)
def test_standard_range(tmp_path: Path, original: Path, name: str, steps: str, labels: dict[str, str]) -> None:
    path = convert(original, tmp_path / f"{name}.mp4", steps, **labels)
    wanted, frame = next(decode_frames(original)).astype(int), next(decode_frames(path)).astype(int)
    assert frame.mean() == pytest.approx(wanted.mean(), rel=0.06)
    assert np.abs(frame - wanted).mean() < 6
    converted = name not in ("full", "fcc", "smpte240m")
    assert [remark.code for remark in probe_video(path).remarks] == (["colours-converted"] if converted else [])


@pytest.mark.parametrize("box", [(11, 21, 41, 31), (10, 20, 40, 30)])
def test_a_crop_of_hdr(tmp_path: Path, original: Path, box: tuple[int, int, int, int]) -> None:
    steps = f"{LINEAR},zscale=p=bt2020,zscale=t=smpte2084:npl=203:m=bt2020nc:r=limited,format=yuv420p10le"
    path = convert(original, tmp_path / "hdr.mov", steps, **tags("bt2020", "smpte2084", "bt2020nc"))
    left, top, width, height = box
    whole, cut = next(decode_frames(path)), next(decode_frames(path, crop=box))
    np.testing.assert_array_equal(cut, whole[top : top + height, left : left + width])


def test_a_guess_is_remarked(tmp_path: Path, original: Path) -> None:
    untagged = tags("unknown", "unknown", "unknown")
    path = convert(original, tmp_path / "deep.mp4", "format=yuv420p10le,setparams=color_trc=unknown", **untagged)
    assert "colours-guessed" in {remark.code for remark in probe_video(path).remarks}


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
@pytest.mark.parametrize("suffix", ["png", "avif"])
def test_an_hdr_still_looks_like_the_original(tmp_path: Path, original: Path, transfer: str, suffix: str) -> None:
    steps = f"{LINEAR},zscale=p=bt2020,zscale=t={transfer}:npl=203:m=gbr:r=full,format=gbrp"
    if suffix == "avif":
        if "libaom-av1" not in ffmpeg.encoders(ffmpeg.find_ffmpeg()):
            pytest.skip("this ffmpeg cannot make AVIF")
        steps = f"{LINEAR},zscale=p=bt2020,zscale=t={transfer}:npl=203:m=bt2020nc:r=full,format=yuv444p"
    path = tmp_path / f"still.{suffix}"
    options = [part for name, tag in tags("bt2020", transfer, "bt2020nc", "pc").items() for part in (f"-{name}", tag)]
    fine = ["-c:v", "libaom-av1", "-still-picture", "1", "-crf", "4", "-cpu-used", "8", *options]
    command = [ffmpeg.find_ffmpeg(), "-y", "-v", "error", "-i", str(original), "-vf", f"{REC709},{steps}"]
    subprocess.run([*command, "-frames:v", "1", *(fine if suffix == "avif" else []), str(path)], check=True)
    picture, wanted = read_picture(path), next(decode_frames(original)).astype(int)
    assert picture.pixels.mean() == pytest.approx(wanted.mean(), rel=0.03)
    assert np.abs(picture.pixels - wanted).mean() < 5
    assert "hdr" in {remark.code for remark in picture.remarks}
