"""Makes a weight file from a finished training and registers it.

facepipe train release landmarker RUN/checkpoint.pt
facepipe train release face-model FILE.safetensors
facepipe train release face-units FILE.safetensors
facepipe train release expression-vae FILE.safetensors
facepipe train release codec-coefficients FILE.safetensors
facepipe train release audio RUN/model.pt
facepipe train release imf-compact FILE.safetensors

For a network, several checkpoints of one run can be given, including a file released earlier; the result is their mean.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facepipe.checkpoint import check_state, save_network
from facepipe.creation import MAPPER
from facepipe.errors import WeightsError
from facepipe.face.units import WEIGHT as FACE_UNITS
from facepipe.models.avatar_mapper import AvatarMapper
from facepipe.models.detector import Detector, DetectorConfig
from facepipe.models.imitator import NAME as IMITATOR
from facepipe.models.imitator import CompactImitatorConfig, Imitator
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.models.matting import Matting, MattingConfig
from facepipe.motion.audio_model import AudioToMotion, AudioToMotionConfig
from facepipe.motion.audio_model_file import save_audio_model
from facepipe.renderers import RENDERERS
from facepipe.renderers.bilayer.compact.config import CompactBilayerConfig
from facepipe.renderers.bilayer.compact.net import CompactBilayerNet
from facepipe.renderers.compact.config import CompactConfig
from facepipe.renderers.compact.net import CompactNet
from facepipe.renderers.imf.compact.config import ImfCompactConfig
from facepipe.renderers.imf.compact.net import ImfCompact
from facepipe.rendering.spec import MATTING
from facepipe.spaces import arkit52, imf_tokens, linear478
from facepipe.train.command import parser_of
from facepipe.train.loop import network_state
from facepipe.train.mapper import config as mapper_config
from facepipe.weights import embedded_folder
from facepipe.weights.kind import kind_of

LICENCE = "CC-BY-NC-4.0"
NETWORKS: dict[str, tuple[type[nn.Module], Callable[[], Any]]] = {
    "detector": (Detector, DetectorConfig),
    "landmarker": (Landmarker, LandmarkerConfig),
    "matting": (Matting, MattingConfig),
    IMITATOR: (Imitator, CompactImitatorConfig),
    MAPPER: (AvatarMapper, mapper_config),
    "pirender-compact": (CompactNet, CompactConfig),
    "bilayer-compact": (CompactBilayerNet, CompactBilayerConfig),
    "imf-compact": (ImfCompact, ImfCompactConfig),
}

# Networks to whose released file a further training adds something.
COMPLETED = ("imf-compact",)
# Weights whose training writes the final file.
FILES = ("face-model", "face-units", "expression-vae", "codec-coefficients", "codec-imf")


def mean_of(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of the states of networks; integer entries are those of the last state."""
    last = states[-1]
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if value.is_floating_point() else value
        for name, value in last.items()
    }


def release(name: str, trained: Path, *earlier: Path, part: str = "mean") -> Path:
    """Write weights/NAME.safetensors from a checkpoint's averaged network (or from a finished file) and register it.

    For a network, the result is the mean of `trained` and `earlier`; for one of COMPLETED, a single .safetensors is
    taken as it is. Raises WeightsError for files that do not contain a network of this kind.
    """
    target = embedded_folder() / f"{name}.safetensors"
    finished = name in COMPLETED and trained.suffix == ".safetensors" and not earlier
    if finished and (kind := kind_of(trained)) != name:
        raise WeightsError(f"{trained} contains a network of kind {kind!r}, expected {name!r}.")
    if name in NETWORKS and not finished:
        network, config = NETWORKS[name]
        net = network(config())
        states = {path: network_state(path, part) for path in (*earlier, trained)}
        for path, state in states.items():
            check_state(state, net, path)
        net.load_state_dict(mean_of([*states.values()]))
        save_network(net, target, kind=name)
    elif name == "audio":
        save_audio_model(read_speech(trained), target)
    elif trained.resolve() != target.resolve():
        shutil.copyfile(trained, target)
    target.chmod(0o644)  # safetensors writes for its owner only, and wheels keep that
    register(name, target)
    return target


def read_speech(trained: Path) -> AudioToMotion:
    """Load the model that `facepipe train audio` wrote."""
    content = torch.load(trained, weights_only=True)
    speech = AudioToMotion(AudioToMotionConfig(**content["config"]))
    speech.load_state_dict(content["speech"])
    return speech


def space_of(name: str) -> str:
    """Return the motion space of a weight: that of its renderer, else linear478; empty if it is of no motion."""
    if name in (MATTING, IMITATOR):
        return ""
    if name == FACE_UNITS:
        return arkit52.SPACE.name
    if name == "codec-imf":
        return imf_tokens.SPACE.name
    return next((spec.space for spec in RENDERERS.values() if name == spec.network), linear478.SPACE.name)


def register(name: str, file: Path) -> None:
    """Write the file's digest and size to the registry, replacing an older entry of that name."""
    registry = embedded_folder() / "registry.toml"
    content = file.read_bytes()
    space = space_of(name)
    entry = (
        f'[[weight]]\nname = "{name}"\nfile = "{file.name}"\nsha256 = "{hashlib.sha256(content).hexdigest()}"\n'
        f'bytes = {len(content)}\nlicence = "{LICENCE}"\nsource = "trained by facepipe, card in {file.stem}.md"\n'
    )
    entry += f'space = "{space}"\n' if space else ""
    text = registry.read_text(encoding="utf-8")
    text = re.sub(rf'\n\[\[weight\]\]\nname = "{name}"\n(?:[^\[\n]+\n)*', "", text)
    registry.write_text(text.rstrip("\n") + "\n\n" + entry, encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("release", __doc__)
    parser.add_argument("name", choices=[*NETWORKS, *FILES, "audio"])
    parser.add_argument(
        "trained",
        type=Path,
        nargs="+",
        help="Trained file; for a network, also checkpoints of one run, the last one last.",
    )
    parser.add_argument(
        "--part", choices=["mean", "net"], default="mean", help="Averaged weights or those of the last step."
    )
    args = parser.parse_args(argv)
    *earlier, trained = args.trained
    if earlier and args.name not in NETWORKS:
        parser.error(f"{args.name} is made from one file, got {len(args.trained)}; give one file.")
    print(release(args.name, trained, *earlier, part=args.part))


if __name__ == "__main__":
    main()
