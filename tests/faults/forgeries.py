"""Files that are not what they seem, each made by a function of the scene that it is to spoil."""

from __future__ import annotations

import io
import json
import os
import pickle
import socket
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facepipe.media.ffmpeg import find_ffmpeg
from tests.faults.program import Scene


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg."""
    command = [find_ffmpeg(), "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def shortened(scene: Scene, path: Path, share: float) -> Path:
    """The first part of a file, as a copy leaves it that broke off."""
    content = path.read_bytes()
    return scene.write(f"short{path.suffix}", content[: int(len(content) * share)])


def truncated_video(scene: Scene) -> Path:
    """A video with its index first, and half of its frames."""
    return shortened(scene, scene.driver, 0.5)


def unfinished_video(scene: Scene) -> Path:
    """A video whose index was to come last, and did not."""
    path = scene.folder / "plain.mp4"
    ffmpeg("-i", scene.driver, "-c", "copy", path)
    content = path.read_bytes()
    path.unlink()
    return scene.write("unfinished.mp4", content[: content.rindex(b"moov") - 4])


def video_without_frames(scene: Scene) -> Path:
    """An mp4 with a video track that lasts no time."""
    path = scene.folder / "zero.mp4"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1", "-frames:v", "1", "-c:v", "libx264", scene.folder / "one.mp4"
    )
    ffmpeg("-i", scene.folder / "one.mp4", "-t", "0", "-c", "copy", "-movflags", "+empty_moov+frag_keyframe", path)
    (scene.folder / "one.mp4").unlink()
    return path


def sound_in_mp4(scene: Scene) -> Path:
    """A video file without pictures."""
    path = scene.folder / "sound.mp4"
    ffmpeg("-i", scene.driver, "-vn", "-c", "copy", path)
    return path


def sound_file(scene: Scene) -> Path:
    """A WAV."""
    path = scene.folder / "sound.wav"
    ffmpeg("-i", scene.driver, "-vn", path)
    return path


def damaged_video(scene: Scene, from_share: float = 0.0) -> Path:
    """A video whose index is whole and whose pictures are noise, all or the last of them."""
    content = bytearray(scene.driver.read_bytes())
    start = content.index(b"mdat") + 4  # the index comes first
    start += int((len(content) - start) * from_share)
    content[start:] = np.random.default_rng(1).bytes(len(content) - start)
    return scene.write("noise.mp4", bytes(content))


def faceless_image(scene: Scene) -> Path:
    """Noise, smoothed."""
    path = scene.folder / "clouds.png"
    noise = np.random.default_rng(2).integers(0, 255, (12, 12, 3), np.uint8)
    Image.fromarray(noise).resize((256, 256), Image.Resampling.BICUBIC).save(path)
    return path


def faceless_video(scene: Scene) -> Path:
    """A test picture that moves."""
    path = scene.folder / "bars.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=96x96:r=25:d=0.4", "-c:v", "libx264", "-pix_fmt", "yuv420p", path)
    return path


def small_face(scene: Scene) -> Path:
    """The portrait, so far away that the face is of some ten pixels."""
    path = scene.folder / "far.png"
    wide = Image.new("RGB", (640, 480), (96, 110, 120))
    wide.paste(Image.open(scene.portrait).resize((44, 44)), (300, 200))
    wide.save(path)
    return path


def png(width: int, height: int, pixels: bytes) -> bytes:
    """The bytes of a PNG of 8-bit grey that claims a size."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(pixels)),
        (b"IEND", b""),
    ]
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def huge_image(scene: Scene) -> Path:
    """A PNG of 100 bytes that would take 400 MB."""
    return scene.write("huge.png", png(20_000, 20_000, b"\0"))


def corrupt_image(scene: Scene) -> Path:
    """A PNG whose pixels do not match their checksum."""
    content = bytearray(scene.portrait.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(400)
    return scene.write("corrupt.png", bytes(content))


def truncated_jpeg(scene: Scene) -> Path:
    """Half a JPEG."""
    memory = io.BytesIO()
    Image.open(scene.portrait).save(memory, "JPEG")
    return scene.write("half.jpg", memory.getvalue()[: memory.tell() // 2])


def pipe(scene: Scene) -> Path:
    """A FIFO, which would make a reader wait for ever."""
    path = scene.folder / "pipe.mp4"
    os.mkfifo(path)
    return path


def listening(scene: Scene) -> Path:
    """A socket."""
    path = Path("socket.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return scene.folder / path


def loop(scene: Scene) -> Path:
    """A link to itself."""
    path = scene.folder / "loop.mp4"
    path.symlink_to(path.name)
    return path


def dangling(scene: Scene) -> Path:
    """A link to nothing."""
    path = scene.folder / "link.mp4"
    path.symlink_to("gone.mp4")
    return path


def playlist(scene: Scene) -> Path:
    """A list that a player would follow to another file."""
    return scene.write("list.mp4", f"#EXTM3U\n#EXTINF:3,\n{scene.driver}\n#EXT-X-ENDLIST\n".encode())


def concat_script(scene: Scene) -> Path:
    """A script of ffmpeg's that names another file."""
    return scene.write("script.mp4", f"ffconcat version 1.0\nfile '{scene.driver}'\n".encode())


def vector_image(scene: Scene) -> Path:
    """An SVG."""
    return scene.write(
        "face.png", b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    )


def document(scene: Scene) -> Path:
    """A PDF."""
    return scene.write("scan.png", b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")


def motion_with(scene: Scene, **changes: Any) -> Path:
    """The motion file with another header, or without what is set to None."""
    with np.load(scene.motion) as file:
        arrays = dict(file)
    header = {**json.loads(arrays["header"].tobytes()), **changes}
    kept = {key: value for key, value in header.items() if value is not None}
    arrays["header"] = np.frombuffer(json.dumps(kept).encode(), np.uint8)
    path = scene.folder / "other.npz"
    np.savez(path, **arrays)
    return path


def motion_of(scene: Scene, **arrays: np.ndarray[Any, Any]) -> Path:
    """The motion file with other arrays."""
    path = scene.folder / "arrays.npz"
    with np.load(scene.motion) as file:
        np.savez(path, **{**dict(file), **arrays})
    return path


def pickled_motion(scene: Scene) -> Path:
    """An .npz whose header is a pickle that would make a file."""
    path = scene.folder / "pickled.npz"
    np.savez(path, header=np.array([Trap()], dtype=object))
    return path


def bare_pickle(scene: Scene) -> Path:
    """A pickle that would make a file, named .npz."""
    return scene.write("bare.npz", pickle.dumps(Trap()))


class Trap:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("TRAPPED",)


def single_array(scene: Scene) -> Path:
    """An .npy in the name of an .npz."""
    path = scene.folder / "array.npy"
    np.save(path, np.zeros(3))
    return path.rename(scene.folder / "array.npz")


def other_archive(scene: Scene) -> Path:
    """A zip archive of something else."""
    path = scene.folder / "papers.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    return path
