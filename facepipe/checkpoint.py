"""Networks in safetensors files. The header contains the kind and the config that the network is built from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from facepipe.device import Precision, compute_dtype, thread_count
from facepipe.errors import WeightsError
from facepipe.models.blocks import fold_norms
from facepipe.weights.saving import save_tensors

# Torch computes every network on one thread: the rounding of a layer that threads share depends on how many they are.
# Large networks take several frames side by side instead (`facepipe.device.lone_threads`). The small ones would gain a
# quarter at most, and threads that wait for each other are ten times slower wherever another process wants the core.
THREADS = 1
Net = TypeVar("Net", bound=nn.Module)


def save_network(net: nn.Module, path: Path, *, kind: str) -> None:
    """Save a network with a dataclass `config`, with batch norms folded (in place, in `net`) and tensors as float16."""
    folded = fold_norms(net)
    tensors = {name: tensor.detach().to(torch.float16).contiguous() for name, tensor in folded.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(tensors, path, header_of(kind, folded.config))


def header_of(kind: str, config: Any) -> dict[str, str]:
    """Return the header of a network's file. `config` is the dataclass that the network is built from."""
    return {"kind": kind, "config": json.dumps(dataclasses.asdict(config))}


def check_state(state: Mapping[str, Tensor], net: nn.Module, path: Path) -> None:
    """Raise WeightsError with the first differences of each kind unless `state` has the names and shapes of `net`."""
    wanted = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    got = {name: tuple(tensor.shape) for name, tensor in state.items()}
    other = [name for name, shape in wanted.items() if got.get(name, shape) != shape]
    faults = {
        "it lacks {}": [name for name in wanted if name not in got],
        "it has unexpected {}": [name for name in got if name not in wanted],
        "it has {}": [f"{name} of shape {got[name]}, expected {wanted[name]}" for name in other],
    }
    messages = [sentence.format(_listed(names)) for sentence, names in faults.items() if names]
    if messages:
        raise WeightsError(f"{path} is of another network: {'; '.join(messages)}. Give the right file.")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def load_network(
    path: Path,
    kind: str,
    network: type[Net],
    config: Callable[..., Any],
    *,
    precision: Precision = "auto",
    threads: int = THREADS,
    without: str = "",
) -> Net:
    """Build the network that a file describes and load its tensors strictly, for inference on the CPU.

    The network is in channels-last format, in bfloat16 where that is faster and else in float32. Sets the number of
    torch's threads to `threads`, or to the number of usable cores if it is 0, for training. Tensors whose names begin
    with `without` belong to something else in the file. Raises WeightsError if the file is of another kind, or its
    config and tensors do not match such a network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            own = (name for name in file.keys() if not (without and name.startswith(without)))  # noqa: SIM118 - no iterator of its own
            tensors = {name: file.get_tensor(name).float() for name in own}
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path} is not a readable safetensors file ({error}). Fetch or install it again."
        ) from error
    if header.get("kind") != kind:
        raise WeightsError(f"{path} contains a network of kind {header.get('kind')!r}, expected {kind!r}.")
    try:
        sizes, old_names = json.loads(header["config"]), getattr(config, "OLD_NAMES", {})
        # Older files have other names for some fields; a config lists them in OLD_NAMES.
        fields = {
            old_names.get(name, name): tuple(value) if isinstance(value, list) else value
            for name, value in sizes.items()
        }
        net = fold_norms(network(config(**fields)))
        net.load_state_dict(tensors, strict=True)
    except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        message = str(error).splitlines()[0]
        raise WeightsError(
            f"{path} does not contain a {kind} that this facepipe can build ({message}). Fetch or install it again."
        ) from error
    torch.set_num_threads(threads or thread_count())
    net = net.to(compute_dtype(precision)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net.requires_grad_(False)  # type: ignore[no-any-return]
