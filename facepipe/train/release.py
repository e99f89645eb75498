"""Making a weight file of a finished training, with its line in the registry.

python -m facepipe.train.release landmarker RUN/checkpoint.pt
python -m facepipe.train.release face-model FILE.safetensors
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
from pathlib import Path

import torch

from facepipe.checkpoint import save_network
from facepipe.models.detector import Detector, DetectorConfig
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.weights import embedded_folder

LICENCE = "CC-BY-NC-4.0"
NETWORKS = {"detector": (Detector, DetectorConfig), "landmarker": (Landmarker, LandmarkerConfig)}


def release(name: str, trained: Path, *, part: str = "mean") -> Path:
    """Write weights/NAME.safetensors from a checkpoint's averaged network (or a face model) and register it."""
    target = embedded_folder() / f"{name}.safetensors"
    if name in NETWORKS:
        network, config = NETWORKS[name]
        state = torch.load(trained, weights_only=True)[part]
        prefix = "module." if part == "mean" else ""
        net = network(config())
        net.load_state_dict({key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)})
        save_network(net, target, kind=name)
    else:
        shutil.copyfile(trained, target)
    register(name, target)
    return target


def register(name: str, file: Path) -> None:
    """Put the file's digest and size into the registry, in place of an older entry of that name."""
    registry = embedded_folder() / "registry.toml"
    content = file.read_bytes()
    entry = (
        f'[[weight]]\nname = "{name}"\nfile = "{file.name}"\nsha256 = "{hashlib.sha256(content).hexdigest()}"\n'
        f'bytes = {len(content)}\nlicence = "{LICENCE}"\nsource = "trained by facepipe, card in {file.stem}.md"\nbasis = "facepipe"\n'
    )
    text = registry.read_text(encoding="utf-8")
    text = re.sub(rf'\n\[\[weight\]\]\nname = "{name}"\n(?:[^\[\n]+\n)*', "", text)
    registry.write_text(text.rstrip("\n") + "\n\n" + entry, encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=[*NETWORKS, "face-model"])
    parser.add_argument("trained", type=Path)
    parser.add_argument("--part", choices=["mean", "net"], default="mean", help="averaged or last weights")
    options = parser.parse_args()
    print(release(options.name, options.trained, part=options.part))


if __name__ == "__main__":
    main()
