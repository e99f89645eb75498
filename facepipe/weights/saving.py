"""Writing safetensors files: equal content gives equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def save_tensors(tensors: Mapping[str, Tensor], path: Path, header: Mapping[str, str]) -> None:
    """Write contiguous tensors and a header of strings.

    safetensors writes the header in random order. The sha256 of a weight is part of the identity of results, so the
    header is sorted afterwards.
    """
    save_file(dict(tensors), path, dict(header))
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        content = json.loads(file.read(length))
        content["__metadata__"] = dict(sorted(content.get("__metadata__", {}).items()))
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode().ljust(length)
        assert len(text) == length, "the sorted header must have the length of the unsorted one"
        file.seek(8)
        file.write(text)
