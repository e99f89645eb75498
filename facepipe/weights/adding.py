"""Adding a user's weight file: check, copy, register."""

import os
import re
import shutil
import zipfile
from pathlib import Path

from safetensors import SafetensorError, safe_open

from facepipe.errors import WeightsError
from facepipe.weights.registry import REGISTRY, Weight, embedded_folder, read_registry, user_folder, write_registry
from facepipe.weights.store import WeightFile, digest, verify
from facepipe.weights.third_party import THIRD_PARTY

#: The first bytes of file types, for error messages.
FORMATS = {
    b"PK\x03\x04": "a zip archive, the format of PyTorch's pickled checkpoints",
    b"\x80\x02": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUM": "a NumPy array",
    b"<!DO": "a web page",
    b"<htm": "a web page",
}
CONVERSION_HINT = "; to convert a published checkpoint, give its kind first: facepipe weights add KIND FILE"


def add(
    path: Path, *, name: str, licence: str, source: str, space: str = "", page: str = "", replace: bool = False
) -> WeightFile:
    """Copy a safetensors file, or a TorchScript listed in `THIRD_PARTY`, to the user's folder and register it there.

    Adding the same file again has no effect. Raises WeightsError for another format, for the name of an embedded
    weight, and for a name that is registered with another file unless `replace` is set.
    """
    check_name(name)
    scripted = name in THIRD_PARTY and THIRD_PARTY[name].scripted
    (check_torchscript if scripted else check_safetensors)(path)
    sha256 = digest(path)
    weight = Weight(
        name,
        f"{name}.pt" if scripted else f"{name}.safetensors",
        sha256,
        path.stat().st_size,
        licence,
        source,
        space,
        page=page,
    )
    mine = read_registry(user_folder() / REGISTRY)
    if name in mine and mine[name].sha256 != sha256 and not replace:
        raise WeightsError(
            f"the name {name} is registered with another file (sha256 {mine[name].sha256}): choose another --name, or "
            "--replace it"
        )
    _copy(path, user_folder() / weight.file)
    write_registry({**mine, name: weight})
    return verify(weight)


def check_name(name: str) -> None:
    """Raise WeightsError unless `name` is a portable file name and not the name of an embedded weight."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise WeightsError(
            f"{name!r} is not a valid weight name: expected letters, digits, '-', '_' and '.', not starting with '-', "
            "'_' or '.'"
        )
    if name in read_registry(embedded_folder() / REGISTRY):
        raise WeightsError(f"{name} ships with facepipe and cannot be replaced: choose another --name")


def check_safetensors(path: Path) -> None:
    """Raise WeightsError with the detected file type unless `path` is a complete safetensors file."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
        with safe_open(path, framework="numpy") as tensors:
            tensors.keys()
    except SafetensorError as error:
        found = FORMATS.get(start) or FORMATS.get(start[:2]) or f"not a complete safetensors file ({error})"
        raise WeightsError(
            f"{path} is {found}: only .safetensors can be added directly, pickles are never loaded{CONVERSION_HINT}"
        ) from error
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}; expected a .safetensors file") from error


def check_torchscript(path: Path) -> None:
    """Raise WeightsError unless `path` is a TorchScript archive. No code in it is run."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is not a TorchScript archive ({error}): write one by torch.jit.save") from error
    if not any("/code/" in name for name in inside):
        raise WeightsError(
            f"{path} is a checkpoint, expected a TorchScript, which includes its layers: write one by torch.jit.save"
        )


def _copy(source: Path, target: Path) -> None:
    """Copy a file atomically."""
    draft = target.with_name(f"{target.name}.{os.getpid()}.draft")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, draft)
        draft.replace(target)
    except OSError as error:
        raise WeightsError(
            f"cannot write {target}: {error.strerror}; set FACEPIPE_WEIGHTS to another folder"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
