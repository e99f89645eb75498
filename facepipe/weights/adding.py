"""Bringing a weight of one's own: checked, copied, registered."""

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

#: How a file of each kind begins, for an error that says what came.
FORMATS = {
    b"PK\x03\x04": "a zip archive, as PyTorch's pickled checkpoints are",
    b"\x80\x02": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUM": "a NumPy array",
    b"<!DO": "a web page",
    b"<htm": "a web page",
}
HOW_OTHERS_COME = "; a published checkpoint comes in with its kind before it: facepipe weights add KIND FILE"


def add(
    path: Path, *, name: str, licence: str, source: str, space: str = "", page: str = "", replace: bool = False
) -> WeightFile:
    """Copy a safetensors file, or a TorchScript in `THIRD_PARTY`, into the user's folder and register it there.

    Raises WeightsError for another format, for a name that ships with facepipe, and for one that is taken by another
    file unless `replace` is given. Adding the same file again changes nothing.
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
            f"the name {name} is taken by another file ({mine[name].sha256}): choose another --name, or --replace"
        )
    _copy(path, user_folder() / weight.file)
    write_registry({**mine, name: weight})
    return verify(weight)


def check_name(name: str) -> None:
    """Raise unless `name` makes a file name everywhere and is no embedded weight's."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise WeightsError(f"{name!r} cannot name a weight: expected letters, digits, '-', '_' and '.'")
    if name in read_registry(embedded_folder() / REGISTRY):
        raise WeightsError(f"{name} is a weight that ships with facepipe and stays as it is: choose another --name")


def check_safetensors(path: Path) -> None:
    """Raise WeightsError, saying what came, unless `path` is a whole safetensors file."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
        with safe_open(path, framework="numpy") as tensors:
            tensors.keys()
    except SafetensorError as error:
        came = FORMATS.get(start) or FORMATS.get(start[:2]) or f"no whole safetensors file ({error})"
        raise WeightsError(
            f"{path} is {came}: only .safetensors can be added as it is, and pickles are never loaded{HOW_OTHERS_COME}"
        ) from error
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror or error}; expected a .safetensors file") from error


def check_torchscript(path: Path) -> None:
    """Raise WeightsError unless `path` is the archive of a TorchScript; nothing in it is run."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = archive.namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is no TorchScript archive ({error}): torch.jit.save writes one") from error
    if not any("/code/" in name for name in inside):
        raise WeightsError(
            f"{path} is a checkpoint, expected a TorchScript, which brings its layers: torch.jit.save writes one"
        )


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that `target` is either what it was or whole."""
    draft = target.with_name(f"{target.name}.{os.getpid()}.draft")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, draft)
        draft.replace(target)
    except OSError as error:
        raise WeightsError(
            f"cannot write {target}: {error.strerror}; $FACEPIPE_WEIGHTS names another folder"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
