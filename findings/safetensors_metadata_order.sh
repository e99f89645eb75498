#!/bin/sh
# safetensors 0.8.0: the same tensors and metadata give different files.
#
# Expected: `safetensors.torch.save` with equal arguments returns equal bytes. Tensors are sorted by the library, so a
# digest of the file looks like a digest of its content.
#
# Observed: the metadata of the header is written in random order. With three keys, 50 calls in one process return
# several different files of equal length. With one key or none, all calls return the same file.
#
# facepipe records the sha256 of weights in the identity of every result. It sorts the metadata after writing
# (facepipe/weights/saving.py).
#
# Output of the run in which it was found (Python 3.11.7, torch 2.13.0):
#
#   safetensors 0.8.0
#   as found: 1 key, 1 file
#   as found: 3 keys, more than 1 file
#   as found: the files differ only in the order of the metadata
#
#   sh findings/safetensors_metadata_order.sh       needs the network; PYTHON picks the interpreter
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'CODE'
import json
import sys
from importlib.metadata import version

import numpy as np
from safetensors.numpy import save


def files(keys: int) -> set[bytes]:
    metadata = {f"key{number}": "value" for number in range(keys)}
    return {save({"b": np.zeros(2), "a": np.ones(3)}, metadata) for _ in range(50)}


def header(file: bytes) -> dict:
    return json.loads(file[8 : 8 + int.from_bytes(file[:8], "little")])


print("safetensors", version("safetensors"))
several = files(3)
first, *others = several
found = {
    "1 key, 1 file": len(files(1)) == 1,
    "3 keys, more than 1 file": len(several) > 1,
    "the files differ only in the order of the metadata": all(header(one) == header(first) for one in others),
}
for text, holds in found.items():
    print("as found:" if holds else "CHANGED:", text)
sys.exit(not all(found.values()))
CODE
