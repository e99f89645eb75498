"""Files of the audio-to-motion network: safetensors with the tensors, and the sizes in the header."""

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
    """Write the network: encoders as float16, tensors that are inverted or accumulated over time as float32."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: tensor.detach().to(torch.float16 if name.startswith("encoders.") else torch.float32).contiguous()
        for name, tensor in speech.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    save_tensors(tensors, path, {"kind": KIND, "config": json.dumps(asdict(speech.config))})


def load_audio_model(path: Path) -> AudioToMotion:
    """Load the network in eval mode without gradients. Raises WeightsError for other kinds of files or other sizes."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - the file is not iterable
        if header.get("kind") != KIND:
            raise WeightsError(f"{path} holds a network of kind {header.get('kind')!r}, expected {KIND!r}.")
        speech = AudioToMotion(config_from(json.loads(header["config"])))
        own = speech.state_dict()
        counters = {name: own[name] for name in own if name.endswith("num_batches_tracked")}
        speech.load_state_dict({name: tensor.float() for name, tensor in tensors.items()} | counters, strict=True)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"{path} is not an audio model that this facepipe reads ({reason}). Fetch or install it again."
        ) from error
    return speech.eval().requires_grad_(False)
