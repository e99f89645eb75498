"""Export random avatars with a take, and run Khronos' glTF validator on them.

    npm install gltf-validator@2.0.0-dev.3.10
    python -m tools.validate_avatars --modules node_modules --count 100

Prints what the validator reports by code, and ends with 1 if there is an error or a warning, or if the checks of
facepipe find a fault.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from facepipe.avatar.assets import ASSETS
from facepipe.avatar.colours import PALETTES
from facepipe.avatar.sampling import sample
from facepipe.avatar.sliders import NEUTRAL
from facepipe.avatar.vector import AvatarVector
from facepipe.export.gltf_checks import faults_of
from tools.avatar_example import example

SCRIPT = Path(__file__).with_name("validate_gltf.mjs")


def random_vector(random: np.random.Generator) -> AvatarVector:
    """Return a vector anywhere in its range: sliders and colours uniform, each option as likely as the others."""
    return AvatarVector(
        {name: float(random.uniform()) for name in NEUTRAL},
        {name: (float(random.uniform()), float(random.uniform())) for name in PALETTES},
        {name: str(random.choice(list(options))) for name, options in ASSETS.items()},
    )


def main() -> None:
    """Export, validate and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", type=Path, default=Path("node_modules"))
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    counts: Counter[str] = Counter()
    sizes: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number in range(options.count):
            # Likely people and unlikely ones.
            vector = random_vector(random) if number % 2 else sample(options.seed + number)
            content = example(vector).glb
            sizes.append(len(content))
            paths.append(Path(folder) / f"{number}.glb")
            paths[-1].write_bytes(content)
            for fault in faults_of(content):
                print(f"{number} {dict(vector.choices)}: {fault}")
                counts["facepipe"] += 1
        command = ["node", str(SCRIPT), str(options.modules), *map(str, paths)]
        for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
            report = json.loads(line)
            counts["files"] += 1
            counts.update({kind: report[kind] for kind in ("errors", "warnings", "infos", "hints")})
            counts.update({f"{message['code']} ({message['severity']})": 1 for message in report["messages"]})
    print(f"{np.mean(sizes) / 1e6:.2f} MB on average; " + ", ".join(f"{n} {kind}" for kind, n in counts.items()))
    if counts["errors"] or counts["warnings"] or counts["facepipe"] or counts["files"] != options.count:
        sys.exit(1)


if __name__ == "__main__":
    main()
