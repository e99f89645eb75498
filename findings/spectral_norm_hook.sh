#!/bin/sh
# torch 2.13.0: a layer whose spectral norm was removed cannot load a state of its own form.
#
# Expected: after `torch.nn.utils.remove_spectral_norm` the layer is an ordinary one, with `bias` and `weight`, and loads
# the state of such a layer.
#
# Observed: the hook that prepares a state for spectral norm stays. `load_state_dict` reports `weight_orig` as missing.
# The hook is looked for by its class, but it is wrapped in another one.
#
# facepipe clears the hooks of these layers (facepipe/renderers/bilayer/blocks.py).
#
# Output of the run in which it was found (Python 3.11.7):
#
#   torch 2.13.0+cpu
#   as found: the layer has bias and weight only
#   as found: it refuses a state of these two
#   as found: without the hook that was left it accepts it
#
#   sh findings/spectral_norm_hook.sh       needs the network; PYTHON picks the interpreter
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'CODE'
import sys
from importlib.metadata import version

import torch
from torch import nn


def loads(layer: nn.Module) -> bool:
    try:
        layer.load_state_dict(nn.Linear(3, 2).state_dict())
    except RuntimeError as error:
        return "weight_orig" not in str(error)
    return True


print("torch", version("torch"))
removed = nn.utils.remove_spectral_norm(nn.utils.spectral_norm(nn.Linear(3, 2)))
cleared = nn.utils.remove_spectral_norm(nn.utils.spectral_norm(nn.Linear(3, 2)))
cleared._load_state_dict_pre_hooks.clear()
found = {
    "the layer has bias and weight only": sorted(removed.state_dict()) == ["bias", "weight"],
    "it refuses a state of these two": not loads(removed),
    "without the hook that was left it accepts it": loads(cleared),
}
for text, holds in found.items():
    print("as found:" if holds else "CHANGED:", text)
sys.exit(not all(found.values()))
CODE
