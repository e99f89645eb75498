import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from facepipe.errors import DiskError, InputError, UsageError
from facepipe.media.image import from_tensor, probe_image, read_image, to_tensor, write_image
from facepipe.media.limits import MediaLimits
from facepipe.media.origin import origin_metadata


def _save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    image = Image.new("RGB", (30, 20), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 30, 5))  # a white stripe on top
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate clockwise by 90 degrees for display
    path = _save(tmp_path / "a.jpg", image, exif=exif, quality=95)
    pixels = read_image(path)
    assert pixels.shape == (30, 20, 3)
    assert pixels[:, -3:].mean() > 240
    assert pixels[:, :10].mean() < 15
    assert (probe_image(path).width, probe_image(path).height) == (20, 30)


def test_alpha_is_composed_over_white(tmp_path: Path) -> None:
    assert (read_image(_save(tmp_path / "a.png", Image.new("RGBA", (4, 4), (0, 0, 0, 0)))) == 255).all()
    half = read_image(_save(tmp_path / "b.png", Image.new("LA", (4, 4), (0, 128))))
    assert abs(int(half[0, 0, 0]) - 127) <= 1


def test_palette_with_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.putpixel((0, 0), 0)
    pixels = read_image(_save(tmp_path / "a.png", image, transparency=0))
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[1, 1].tolist() == [10, 20, 30]


@pytest.mark.parametrize("mode", ["1", "L"])
def test_grey(tmp_path: Path, mode: str) -> None:
    pixels = read_image(_save(tmp_path / "a.png", Image.new(mode, (4, 4), 255)))
    assert pixels.shape == (4, 4, 3)
    assert (pixels == 255).all()


def test_sixteen_bit_grey(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    pixels = read_image(_save(tmp_path / "a.png", Image.fromarray(ramp)))
    assert np.abs(pixels[..., 0].astype(int) - np.rint(ramp / 257)).max() <= 1


def test_sixteen_bit_colour(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(
        _png(2, 2, depth=16, colour=2, rows=b"".join(b"\0" + struct.pack(">6H", *[40000, 20000, 0] * 2) for _ in "ab"))
    )
    assert np.abs(read_image(path)[0, 0].astype(int) - [155, 78, 0]).max() <= 1


def test_cmyk_jpeg(tmp_path: Path) -> None:
    pixels = read_image(_save(tmp_path / "a.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=95))
    assert pixels[0, 0, 0] > 200
    assert pixels[0, 0, 1:].max() < 60


def test_a_foreign_profile_is_converted(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = _save(tmp_path / "a.png", Image.new("RGB", (4, 4), (10, 20, 30)), icc_profile=lab)
    assert read_image(path)[0, 0].tolist() == [10, 20, 30]
    broken = _save(tmp_path / "b.png", Image.new("RGB", (4, 4), (10, 20, 30)), icc_profile=b"nonsense")
    assert read_image(broken)[0, 0].tolist() == [10, 20, 30]


def test_one_pixel(tmp_path: Path) -> None:
    assert read_image(_save(tmp_path / "a.png", Image.new("RGB", (1, 1)))).shape == (1, 1, 3)


def _png(width: int, height: int, *, depth: int = 8, colour: int = 2, rows: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(_png(20_000, 20_000))
    with pytest.raises(InputError, match=r"20000x20000 are 400,000,000 pixels.*--max-pixels 400000000"):
        read_image(path)
    assert probe_image(path, MediaLimits(max_pixels=400_000_000)).width == 20_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello", "is not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image"),
        (_png(50, 50)[:60], "damaged"),
        (b"\x89PNG\r\n\x1a\n" + b"junk" * 20, "damaged|not an image"),
    ],
)
def test_bad_images(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_image(path)


def test_a_truncated_jpeg(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = _save(tmp_path / "a.jpg", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match="damaged image"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_writing(tmp_path: Path, suffix: str) -> None:
    pixels = np.full((8, 6, 3), (200, 100, 50), dtype=np.uint8)
    path = tmp_path / f"a.{suffix}"
    write_image(path, pixels, quality=95, metadata=origin_metadata())
    assert np.abs(read_image(path).astype(int) - pixels).max() <= 6
    assert b"trainedAlgorithmicMedia" in path.read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_invalid_writes_are_refused(tmp_path: Path) -> None:
    pixels = np.zeros((2, 2, 3), dtype=np.uint8)
    with pytest.raises(UsageError, match=r"type '.xyz'; use .png, .jpg or .webp"):
        write_image(tmp_path / "a.xyz", pixels)
    with pytest.raises(DiskError, match="does not exist; create it"):
        write_image(tmp_path / "none" / "a.png", pixels)
    with pytest.raises(ValueError, match="expected uint8"):
        write_image(tmp_path / "a.png", pixels.astype(np.float32))


def test_tensors_and_back() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    tensor = to_tensor(pixels)
    assert tuple(tensor.shape) == (2, 3, 5, 7)
    assert float(tensor.abs().max()) <= 1
    assert np.array_equal(from_tensor(tensor), pixels)
    assert np.array_equal(from_tensor(to_tensor(pixels[0])), pixels[0])
    with pytest.raises(ValueError, match="expected uint8"):
        to_tensor(pixels.astype(np.float32))
