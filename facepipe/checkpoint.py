"""A network in one safetensors file: its tensors, and in the header the sizes it is built from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from facepipe.device import Precision, compute_dtype, thread_count
from facepipe.errors import WeightsError
from facepipe.models.blocks import fold_norms

# Our networks are so small that a second thread gains a quarter at most; decoding and encoding fill that core anyway.
# And wherever somebody else wants it too, threads that wait for each other become ten times slower than one alone.
THREADS = 1
Net = TypeVar("Net", bound=nn.Module)


def save_network(net: nn.Module, path: Path, *, kind: str) -> None:
    """Write a network that has a dataclass `config`: batch norms folded (in `net` itself), numbers as float16."""
    folded = fold_norms(net)
    tensors = {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in folded.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, header_of(kind, folded.config))


def header_of(kind: str, config: Any) -> dict[str, str]:
    """Return what the header of a network's file says, `config` being the dataclass that the network is built from."""
    return {"kind": kind, "config": json.dumps(dataclasses.asdict(config))}


def check_state(state: Mapping[str, Tensor], net: nn.Module, path: Path) -> None:
    """Raise WeightsError, telling the first differences of each kind, unless `state` has the network's tensors."""
    wanted = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    got = {name: tuple(tensor.shape) for name, tensor in state.items()}
    other = [name for name, shape in wanted.items() if got.get(name, shape) != shape]
    faults = {
        "it lacks {}": [name for name in wanted if name not in got],
        "it has {}, where there should be no such": [name for name in got if name not in wanted],
        "it has {}": [f"{name} of shape {got[name]}, expected {wanted[name]}" for name in other],
    }
    told = [sentence.format(_listed(names)) for sentence, names in faults.items() if names]
    if told:
        raise WeightsError(f"{path} is of another network: {'; '.join(told)}. Give the right file.")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def load_network(
    path: Path,
    kind: str,
    network: type[Net],
    config: type[Any],
    *,
    precision: Precision = "auto",
    threads: int = THREADS,
) -> Net:
    """Build the network that a file describes and load it strictly, ready for inference on this machine's CPU.

    Runs in bfloat16 where that is faster, else in float32; channels last; torch uses so many threads from then on,
    and with 0 as many as there are cores for us.
    Raises WeightsError for a file of another kind, and one whose sizes and tensors are not those of such a network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - no iterator of its own
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is no readable safetensors file ({error}). Fetch or install it again.") from error
    if header.get("kind") != kind:
        raise WeightsError(f"{path} holds a network of kind {header.get('kind')!r}, expected {kind!r}.")
    try:
        sizes = json.loads(header["config"])
        fields = {name: tuple(value) if isinstance(value, list) else value for name, value in sizes.items()}
        net = fold_norms(network(config(**fields)))
        net.load_state_dict(tensors, strict=True)
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        told = str(error).splitlines()[0]
        raise WeightsError(
            f"{path} holds no {kind} that this facepipe can build ({told}). Fetch or install it again."
        ) from error
    torch.set_num_threads(threads or thread_count())
    net = net.to(compute_dtype(precision)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net.requires_grad_(False)  # type: ignore[no-any-return]
