#!/bin/sh
# torch 2.13.0 on a CPU: scaled_dot_product_attention stores the full matrix of scores for some layouts and widths.
#
# Expected: on a CPU, attention without a mask is computed in blocks whatever the layout of its inputs, so that 4096 tokens
# need about as much memory as the result, 1 MiB for 64 channels.
#
# Observed: this holds for contiguous tokens with values as wide as queries. With values half as wide, and with tokens whose
# channels are not the fastest dimension (a feature map (C, H, W), flattened and transposed), the matrix of 4096x4096 scores
# is allocated, 64 MiB in float32. Nothing says so.
#
# facepipe makes tokens contiguous, and pads narrow values (facepipe/renderers/imf/attention.py).
#
# Output of the run in which it was found (Python 3.11.7):
#
#   torch 2.13.0
#   as found: equal widths: largest block 1 MiB
#   as found: narrow values: largest block 64 MiB
#   as found: transposed maps: largest block 65 MiB
#
#   sh findings/attention_full_scores.sh       needs the network; PYTHON picks the interpreter
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'CODE'
import sys

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.profiler import ProfilerActivity, profile

TOKENS, SCORES_MIB = 4096, 4096 * 4096 * 4 // 2**20


def largest_block_mib(query: Tensor, key: Tensor, value: Tensor) -> int:
    with torch.inference_mode(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        scaled_dot_product_attention(query, key, value)
    return max(event.cpu_memory_usage for event in profiled.events()) // 2**20


def tokens(channels: int) -> Tensor:
    return torch.randn(1, 1, TOKENS, channels)


def of_map(channels: int) -> Tensor:
    return torch.randn(1, 1, channels, 64, 64).flatten(3).transpose(2, 3)


print("torch", torch.__version__.partition("+")[0])
cases = {
    "equal widths": ((tokens(64), tokens(64), tokens(64)), False),
    "narrow values": ((tokens(64), tokens(64), tokens(32)), True),
    "transposed maps": ((of_map(64), of_map(64), of_map(64)), True),
}
changed = False
for name, (inputs, stores_scores) in cases.items():
    found = largest_block_mib(*inputs)
    holds = (found >= SCORES_MIB) == stores_scores
    changed |= not holds
    print("as found:" if holds else "CHANGED:", f"{name}: largest block {found} MiB")
sys.exit(changed)
CODE
