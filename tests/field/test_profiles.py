"""Still pictures of every mode, with and without a colour profile, become the sRGB picture that they show."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage import data

from facepipe.engine import Workspace
from facepipe.engine.remark import remarks_in
from facepipe.media.image import read_picture
from facepipe.stages import crop
from facepipe.weights import find
from tests.field.icc import cmyk_profile, grey_profile, rgb_profile

# Display P3 (200, 100, 50) at gamma 2.2 is this in sRGB.
P3, SRGB = (200, 100, 50), (216, 93, 23)


def saved(path: Path, image: Image.Image, profile: bytes = b"") -> Path:
    image.save(path, **({"icc_profile": profile} if profile else {}))  # type: ignore[arg-type]
    return path


def codes(path: Path) -> list[str]:
    return [remark.code for remark in read_picture(path).remarks]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
def test_a_wide_profile(tmp_path: Path, mode: str, suffix: str) -> None:
    image = Image.new("RGB", (8, 8), P3)
    if mode == "P":
        image = image.quantize(4)
    path = saved(tmp_path / f"a.{suffix}", image.convert(mode), rgb_profile())
    assert np.abs(read_picture(path).pixels[4, 4].astype(int) - SRGB).max() <= 3
    assert codes(path) == ["colours-converted"]


def test_transparency_stays(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (*P3, 255))
    image.paste((0, 0, 0, 0), (0, 0, 4, 8))
    pixels = read_picture(saved(tmp_path / "a.png", image, rgb_profile())).pixels
    assert (pixels[:, :4] == 255).all()
    assert np.abs(pixels[4, 6].astype(int) - SRGB).max() <= 3


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_grey_profile(tmp_path: Path, mode: str) -> None:
    """Gamma 1: the middle of linear light is bright in sRGB."""
    image = Image.fromarray(np.full((8, 8), 32896, np.uint16)) if mode == "I;16" else Image.new("L", (8, 8), 128)
    path = saved(tmp_path / "a.png", image if mode == "I;16" else image.convert(mode), grey_profile(1.0))
    assert np.abs(read_picture(path).pixels.astype(int) - 188).max() <= 2
    assert "colours-converted" in codes(path)


def test_a_grey_picture_with_a_profile_of_colours(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", Image.new("L", (8, 8), 128), rgb_profile(gamma=1.0))
    assert np.abs(read_picture(path).pixels.astype(int) - 188).max() <= 2


@pytest.mark.parametrize("suffix", ["jpg", "tiff"])
def test_cmyk(tmp_path: Path, suffix: str) -> None:
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    plain, named = tmp_path / f"plain.{suffix}", tmp_path / f"named.{suffix}"
    pixels = read_picture(saved(named, image, cmyk_profile())).pixels[4, 4].astype(int)
    assert np.ptp(pixels) <= 2  # the profile says that the ink is grey
    assert 150 < pixels[0] < 220
    assert codes(named) == ["colours-converted"]
    assert np.ptp(read_picture(saved(plain, image)).pixels[4, 4].astype(int)) > 200
    assert codes(plain) == ["colours-guessed"]


@pytest.mark.parametrize("profile", [grey_profile(1.0), cmyk_profile(), b"nonsense", rgb_profile()[:200]])
def test_a_profile_that_does_not_fit(tmp_path: Path, profile: bytes) -> None:
    path = saved(tmp_path / "a.png", Image.new("RGB", (8, 8), P3), profile)
    assert read_picture(path).pixels[0, 0].tolist() == list(P3)
    assert codes(path) == ["profile-ignored"]


def test_srgb_is_kept(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(tmp_path / "a.png", Image.new("RGB", (8, 8), P3), profile)
    assert read_picture(path).pixels[0, 0].tolist() == list(P3)
    assert codes(path) == []


def test_lab(tmp_path: Path) -> None:
    lab = ImageCms.profileToProfile(
        Image.new("RGB", (8, 8), P3),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert lab is not None
    path = saved(tmp_path / "a.tiff", lab)
    assert np.abs(read_picture(path).pixels[4, 4].astype(int) - P3).max() <= 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_white_is_white_in_every_mode(tmp_path: Path, mode: str) -> None:
    samples = {"I;16": (65535, np.uint16), "I": (65535, np.int32), "F": (1.0, np.float32)}
    image = Image.new("RGB", (8, 8), "white").convert(mode) if mode not in samples else None
    if image is None:
        value, kind = samples[mode]
        image = Image.fromarray(np.full((8, 8), value, kind))
    path = saved(tmp_path / "a.tiff", image)
    picture = read_picture(path)
    assert (picture.pixels >= 254).all()
    expected = {"CMYK": ["colours-guessed"]} | {kind: ["depth-reduced"] for kind in samples}
    assert [remark.code for remark in picture.remarks] == expected.get(mode, [])


@pytest.mark.parametrize(
    ("kind", "samples", "greys"),
    [
        (np.float32, [0.0, 0.5, 1.0], [0, 128, 255]),
        (np.float32, [0.0, 128.0, 255.0], [0, 128, 255]),
        (np.float32, [0.0, 2000.0, 4000.0], [0, 8, 16]),
        (np.float32, [-1.0, np.nan, 1.0], [0, 0, 255]),
        (np.int32, [0, 128, 255], [0, 128, 255]),
        (np.int32, [0, 500_000, 1_000_000], [0, 128, 255]),
    ],
)
def test_the_range_of_deep_samples_is_guessed_from_the_largest(
    tmp_path: Path, kind: type, samples: list[float], greys: list[int]
) -> None:
    path = saved(tmp_path / "a.tiff", Image.fromarray(np.array([samples], kind)))
    assert np.abs(read_picture(path).pixels[0, :, 0].astype(int) - greys).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_orientation(tmp_path: Path, orientation: int) -> None:
    """The corner that is displayed at the top left is there."""
    corners = {1: (0, 0), 2: (0, 9), 3: (5, 9), 4: (5, 0), 5: (0, 0), 6: (5, 0), 7: (5, 9), 8: (0, 9)}
    pixels = np.zeros((6, 10, 3), np.uint8)
    pixels[corners[orientation]] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path, exif=exif)
    upright = read_picture(path).pixels
    assert upright.shape == ((6, 10, 3) if orientation <= 4 else (10, 6, 3))
    assert upright[0, 0, 0] == 255


def test_a_picture_of_several_strips(tmp_path: Path) -> None:
    """Strips meet without a seam, also with a profile and transparency."""
    ramp = np.arange(3000 * 2000, dtype=np.uint32).reshape(3000, 2000, 1) // np.array([1, 256, 65536])
    alpha = np.full((3000, 2000, 1), 200)
    image = Image.fromarray(np.concatenate([ramp % 256, alpha], 2).astype(np.uint8))
    path = saved(tmp_path / "a.tiff", image, rgb_profile())
    rows = read_picture(path).pixels[2090:2110]
    part = saved(tmp_path / "part.tiff", image.crop((0, 2090, 2000, 2110)), rgb_profile())
    np.testing.assert_array_equal(rows, read_picture(part).pixels)


def test_the_stage_crop_remarks_the_conversion(tmp_path: Path) -> None:
    face = Image.fromarray(data.astronaut()[20:276, 100:356])  # type: ignore[no-untyped-call]
    path = saved(tmp_path / "face.png", face, rgb_profile())
    workspace, weights = Workspace(tmp_path / "work"), {name: find(name) for name in ("detector", "landmarker")}
    made = workspace.execute(workspace.decide(crop.STAGE, {"media": path}, crop.Params(size_pixels=64), weights))
    assert [remark.code for remark in remarks_in(made.facts)] == ["colours-converted"]
