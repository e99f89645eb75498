"""Conversion of PyTorch checkpoints to safetensors files, without running code that they may contain."""

from __future__ import annotations

import io
import pickle
import struct
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from facepipe.engine.digest import digest_stream
from facepipe.errors import WeightsError
from facepipe.weights.adding import add, check_name
from facepipe.weights.saving import save_tensors
from facepipe.weights.store import WeightFile, digest
from facepipe.weights.third_party import ThirdPartyWeight

# Errors raised by reading a file of another type: the unpickler interprets any bytes as commands.
UNREADABLE = (
    OSError,
    RuntimeError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    struct.error,
    pickle.UnpicklingError,
    SafetensorError,
)
# The first bytes of files that are saved in place of a checkpoint by mistake, in lower case.
FOREIGN = {
    b"<": "a web page; the download may need a confirmation in the browser",
    b"version https://git-lfs": "a pointer of Git LFS, and not the file itself",
}
ZIP, PEEKED_BYTES = b"PK", 64
# Before this version a file could run code even with weights_only (CVE-2025-32434).
SAFE_TORCH = (2, 6)


class Converted(NamedTuple):
    """A checkpoint in the format in which facepipe stores it."""

    tensors: Mapping[str, Tensor]
    header: Mapping[str, str]
    """Header of the safetensors file: its kind, and the config that the network is built from."""
    files: tuple[Path, ...] = ()
    """The files that were read, if what was given is a folder."""
    notes: tuple[str, ...] = ()
    """Sentences about what was chosen or left out."""
    own: bool = False
    """Whether `facepipe train` made the file, so that neither page nor licence of the published one apply."""


def add_third_party(
    path: Path,
    read: Callable[[Path], Converted],
    weight: ThirdPartyWeight,
    *,
    name: str,
    licence: str = "",
    source: str = "",
    space: str = "",
    unchecked: bool = False,
    replace: bool = False,
    note: Callable[[str], None] = lambda _sentence: None,
) -> WeightFile:
    """Convert a published file or folder by `read` and add its tensors as weight `name` by `facepipe.weights.add`.

    The registry entry contains the digest of the original, and its page if it is the published one. `note` is called
    with each of the converted weight's notes. Raises the WeightsErrors of `read` and, unless `unchecked`, WeightsError
    if the digest is not that of the published file.
    """
    check_name(name)
    converted = read(path)
    sha256 = _digest(path, converted.files)
    if not unchecked:
        _check_digest(path, sha256, weight)
    with tempfile.TemporaryDirectory(prefix="facepipe-") as folder:
        file = Path(folder) / "converted.safetensors"
        save_tensors(converted.tensors, file, converted.header)
        added = add(
            file,
            name=name,
            licence=licence or ("unknown" if converted.own else weight.licence),
            source=f"{source or path.absolute().name}, sha256 {sha256}, converted",
            space=space or weight.space,
            page="" if unchecked or converted.own else weight.url,
            replace=replace,
        )
    for sentence in converted.notes:
        note(sentence)
    return added


def _digest(path: Path, files: Sequence[Path]) -> str:
    """Return the digest of a file; of a folder, that of a list of its files that were read, as sha256sum prints it."""
    if not files:
        return digest(path)
    rows = sorted(f"{digest(file)}  {file.name}\n" for file in files)
    return digest_stream(io.BytesIO("".join(rows).encode()))


def _check_digest(path: Path, found: str, weight: ThirdPartyWeight) -> None:
    if not found.startswith(weight.sha256_start):
        raise WeightsError(
            f"{path} is not the published {weight.file}: expected a sha256 that begins with {weight.sha256_start}, "
            f"got {found}. Download it again from {weight.url}, or add a file of your own with --unchecked"
        )


def read_checkpoint(path: Path, *parts: str) -> dict[str, Tensor]:
    """Return the tensors of a PyTorch checkpoint or safetensors file by name.

    They are taken from the first of `parts` (default "state_dict") that the checkpoint has, else from its top level.
    Raises WeightsError if the file cannot be read, would run code, or contains anything but tensors there.
    """
    state = content_of(path)
    if isinstance(state, dict):
        state = next((state[part] for part in parts or ("state_dict",) if part in state), state)
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        found = f" (it contains {', '.join(map(str, state))[:200]})" if isinstance(state, dict) and state else ""
        raise WeightsError(f"{path} has no tensors by name{found}, expected a state dict: download it again")
    broken = [str(name) for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise WeightsError(f"{path} has values that are no numbers in {', '.join(broken[:3])}: download it again")
    return {str(name).removeprefix("module."): value.contiguous().clone() for name, value in state.items()}


def content_of(path: Path) -> Any:
    """Return what a PyTorch checkpoint or safetensors file holds. Raises WeightsError as `read_checkpoint` does."""
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < SAFE_TORCH:
        raise WeightsError(f"torch {torch.__version__} cannot read {path} safely: pip install --upgrade torch")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about old protocols of pickles
            return torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise WeightsError(
            f"{path} is not a checkpoint that can be read without running its code ({_reason(path, error)}): download "
            "it again"
        ) from error


def _reason(path: Path, error: Exception) -> str:
    """Return why a file could not be read, from its first bytes or the error."""
    try:
        with path.open("rb") as file:
            start = file.read(PEEKED_BYTES).lstrip()
    except OSError as failed:
        return failed.strerror or str(failed)
    if not start:
        return "it is empty"
    for beginning, what in FOREIGN.items():
        if start.lower().startswith(beginning):
            return f"it is {what}"
    if path.suffix == ".safetensors":
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    if start.startswith(ZIP) and not isinstance(error, pickle.UnpicklingError):
        return "it is cut off or damaged"
    # torch's own message recommends to run the code, or is one of Python about the bytes that it took for commands.
    return "it is damaged, no pickle, or contains more than tensors"
