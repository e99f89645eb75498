"""The speech model in one safetensors file: its tensors, and in the header its sizes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from facepipe.errors import WeightsError
from facepipe.motion.audio_model import AudioToMotion, config_from
from facepipe.weights.saving import save_tensors

KIND = "audio"


def save_audio_model(speech: AudioToMotion, path: Path) -> None:
    """Write the model: encoders as float16, and all that is inverted or summed over time as float32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: tensor.detach().to(torch.float16 if name.startswith("encoders.") else torch.float32).contiguous()
        for name, tensor in speech.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_tensors(tensors, path, {"kind": KIND, "config": json.dumps(asdict(speech.config))})


def load_audio_model(path: Path) -> AudioToMotion:
    """Read the model, ready for use. Raises WeightsError for a file of another kind or of other sizes."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no iterator of its own
        if header.get("kind") != KIND:
            raise WeightsError(f"{path} holds a network of kind {header.get('kind')!r}, expected {KIND!r}.")
        speech = AudioToMotion(config_from(json.loads(header["config"])))
        own = speech.state_dict()
        counters = {name: own[name] for name in own if name.endswith("num_batches_tracked")}
        speech.load_state_dict({name: tensor.float() for name, tensor in tensors.items()} | counters, strict=True)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        told = str(error).splitlines()[0]
        raise WeightsError(
            f"{path} holds no speech model that this facepipe can build ({told}). Get it again."
        ) from error
    return speech.eval().requires_grad_(False)
