"""Making a weight file of a finished training, with its line in the registry.

facepipe train release landmarker RUN/checkpoint.pt
facepipe train release face-model FILE.safetensors
facepipe train release expression-vae FILE.safetensors
facepipe train release audio RUN/model.pt

Of a network, checkpoints of several moments of its run may be given, also a file that was released before; what is
released is their mean.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facepipe.checkpoint import check_state, save_network
from facepipe.models.detector import Detector, DetectorConfig
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.motion.audio_model import AudioToMotion, AudioToMotionConfig
from facepipe.motion.audio_model_file import save_audio_model
from facepipe.renderers.compact.config import CompactConfig
from facepipe.renderers.compact.net import CompactNet
from facepipe.train.command import parser_of
from facepipe.train.loop import network_state
from facepipe.weights import embedded_folder

LICENCE = "CC-BY-NC-4.0"
NETWORKS: dict[str, tuple[type[nn.Module], type[Any]]] = {
    "detector": (Detector, DetectorConfig),
    "landmarker": (Landmarker, LandmarkerConfig),
    "pirender-compact": (CompactNet, CompactConfig),
}

# Whose training writes the file itself.
FILES = ("face-model", "expression-vae")


def mean_of(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of networks of one run; what is no fraction is the last one's."""
    last = states[-1]
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in last.items()
    }


def release(name: str, trained: Path, *earlier: Path, part: str = "mean") -> Path:
    """Write weights/NAME.safetensors from a checkpoint's averaged network (or a file of FILES) and register it.

    Of a network it is the mean of that and of those of `earlier` moments. Raises WeightsError for files that hold none
    of its kind.
    """
    target = embedded_folder() / f"{name}.safetensors"
    if name in NETWORKS:
        network, config = NETWORKS[name]
        net = network(config())
        states = {path: network_state(path, part) for path in (*earlier, trained)}
        for path, state in states.items():
            check_state(state, net, path)
        net.load_state_dict(mean_of([*states.values()]))
        save_network(net, target, kind=name)
    elif name == "audio":
        save_audio_model(read_speech(trained), target)
    else:
        shutil.copyfile(trained, target)
    target.chmod(0o644)  # safetensors writes for its owner only, and wheels keep that
    register(name, target)
    return target


def read_speech(trained: Path) -> AudioToMotion:
    """Build the speech model that a training has written."""
    content = torch.load(trained, weights_only=True)
    speech = AudioToMotion(AudioToMotionConfig(**content["config"]))
    speech.load_state_dict(content["speech"])
    return speech


def register(name: str, file: Path) -> None:
    """Put the file's digest and size into the registry, in place of an older entry of that name."""
    registry = embedded_folder() / "registry.toml"
    content = file.read_bytes()
    entry = (
        f'[[weight]]\nname = "{name}"\nfile = "{file.name}"\nsha256 = "{hashlib.sha256(content).hexdigest()}"\n'
        f'bytes = {len(content)}\nlicence = "{LICENCE}"\nsource = "trained by facepipe, card in {file.stem}.md"\n'
        'space = "linear478"\n'
    )
    text = registry.read_text(encoding="utf-8")
    text = re.sub(rf'\n\[\[weight\]\]\nname = "{name}"\n(?:[^\[\n]+\n)*', "", text)
    registry.write_text(text.rstrip("\n") + "\n\n" + entry, encoding="utf-8")


def main(words: Sequence[str] | None = None) -> None:
    """Release as the words of a command line say."""
    parser = parser_of("release", __doc__)
    parser.add_argument("name", choices=[*NETWORKS, *FILES, "audio"])
    parser.add_argument("trained", type=Path, nargs="+", help="of a network, moments of one run, the last one last")
    parser.add_argument("--part", choices=["mean", "net"], default="mean", help="averaged or last weights")
    asked = parser.parse_args(words)
    *earlier, trained = asked.trained
    if earlier and asked.name not in NETWORKS:
        parser.error(f"{len(asked.trained)} files are given, and {asked.name} is made of one; give one file.")
    print(release(asked.name, trained, *earlier, part=asked.part))


if __name__ == "__main__":
    main()
