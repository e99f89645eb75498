"""Digests of a result file and of the parts that it consists of.

They locate a difference between two files, and tell changed numbers from changed text:

    .npz          sha256 of each array; the fields of the JSON header as they are
    video         time stamp and 8 digits of the sha256 of each decoded frame; sha256 of the decoded sound; properties
                  of the streams and metadata as they are
    picture       sha256 of the pixels; metadata as it is
    .json         the `facts` of a sidecar's stages, by stage and run. It also holds durations, paths and digests, so
                  there is no sha256 of it. Of other files the sha256 and all fields
    .mat          sha256 of each array. SciPy writes the date into the header, so there is no sha256 of it
    .safetensors  sha256 of the tensors; the metadata of the header. The library writes the metadata in random order, so
                  there is no sha256 of the file
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VIDEOS, PICTURES = (".mp4", ".webm", ".mkv"), (".png", ".jpg", ".webp")


def digests_of(path: Path, name: str) -> dict[str, Any]:
    """Return the entries of a file."""
    if path.suffix == ".json":
        return json_entries(path, name)
    if path.suffix == ".mat":
        return array_entries(load_matlab(path), name)
    if path.suffix == ".safetensors":
        return safetensors_entries(path, name)
    entries: dict[str, Any] = {name: hashlib.sha256(path.read_bytes()).hexdigest()}
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            entries |= array_entries(dict(file), name)
    elif path.suffix in VIDEOS:
        entries |= video_entries(path, name)
    elif path.suffix in PICTURES and name.startswith("out/"):
        entries |= picture_entries(path, name)
    return entries


def array_entries(arrays: Mapping[str, NDArray[Any]], name: str) -> dict[str, Any]:
    """Return the digest of each array and the fields of the header."""
    entries: dict[str, Any] = {}
    for key, array in arrays.items():
        if key == "header":
            entries |= leaves(json.loads(array.tobytes()), f"{name} header")
        else:
            form = f"{array.dtype}{list(array.shape)}"
            entries[f"{name} {key}"] = f"{hashlib.sha256(array.tobytes()).hexdigest()} {form}"
    return entries


def load_matlab(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a MATLAB file."""
    from scipy.io import loadmat

    return {name: np.ascontiguousarray(array) for name, array in loadmat(path).items() if not name.startswith("__")}


def safetensors_entries(path: Path, name: str) -> dict[str, Any]:
    """Return the digest of all tensors with their names and shapes, and the metadata of the header."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    metadata = header.pop("__metadata__", {})
    tensors = json.dumps(header, sort_keys=True).encode() + content[start:]
    return {f"{name} tensors": hashlib.sha256(tensors).hexdigest(), **leaves(metadata, f"{name} metadata")}


def video_entries(path: Path, name: str) -> dict[str, Any]:
    """Return the digests of decoded frames and sound, the properties of the streams and the metadata."""
    streams = ["-map", "0:v", "-map", "0:a?"]
    listed = ffmpeg("-i", path, *streams, "-fps_mode", "passthrough", "-f", "framehash", "-hash", "sha256", "-")
    lines = [line for line in listed.splitlines() if not line.startswith("#software")]
    rows = [line.replace(" ", "").split(",") for line in lines if not line.startswith("#")]
    frames = [f"{pts}:{digest[:8]}" for stream, _, pts, *_, digest in rows if stream == "0"]
    sound = "\n".join(",".join(row) for row in rows if row[0] != "0")
    metadata = [line for line in ffmpeg("-i", path, "-f", "ffmetadata", "-").splitlines() if not line.startswith(";")]
    return {
        f"{name} streams": [line for line in lines if line.startswith("#")],
        f"{name} frames": frames,
        f"{name} sound": hashlib.sha256(sound.encode()).hexdigest() if sound else "none",
        f"{name} metadata": metadata,
    }


def picture_entries(path: Path, name: str) -> dict[str, Any]:
    """Return the digest of the pixels, and the metadata."""
    from PIL import Image

    with Image.open(path) as picture:
        picture.load()
        form = f"{picture.mode}{list(picture.size)}"
        pixels = hashlib.sha256(picture.tobytes()).hexdigest()
        return {f"{name} pixels": f"{pixels} {form}", **leaves({**picture.info}, f"{name} metadata")}


def json_entries(path: Path, name: str) -> dict[str, Any]:
    """Return the facts of a sidecar's stages, or the digest and all fields of another JSON file."""
    content = json.loads(path.read_text("utf-8"))
    if "stages" not in content:
        return {name: hashlib.sha256(path.read_bytes()).hexdigest(), **leaves(content, f"{name} fields")}
    entries: dict[str, Any] = {}
    runs = Counter[str]()
    for stage in content["stages"]:
        # Numbered by stage, so that a stage that is added does not rename the facts of the others.
        entries |= leaves(stage["facts"], f"{name} {stage['stage']} {runs[stage['stage']]}")
        runs[stage["stage"]] += 1
    return entries


def leaves(value: Any, name: str) -> dict[str, Any]:
    """Return what a tree of mappings holds at its ends, by dotted name."""
    if isinstance(value, Mapping):
        return {key: leaf for one, below in value.items() for key, leaf in leaves(below, f"{name}.{one}").items()}
    return {
        name: hashlib.sha256(value).hexdigest()
        if isinstance(value, bytes)
        else json.loads(json.dumps(value, default=str))
    }


def ffmpeg(*arguments: str | Path) -> str:
    """Run ffmpeg and return what it writes to stdout. Raises CalledProcessError if it fails."""
    command = [ffmpeg_path(), "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()


def ffmpeg_path() -> str:
    """Return the ffmpeg on PATH, or that of imageio-ffmpeg, as facepipe does."""
    import imageio_ffmpeg

    return shutil.which("ffmpeg") or str(imageio_ffmpeg.get_ffmpeg_exe())
