"""Files of tensors: equal content, equal bytes."""

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from facepipe.weights.saving import save_tensors


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    """Twenty times, with a header of names that sort otherwise than they are given, and text beyond ASCII."""
    tensors = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.ones(4, dtype=torch.bfloat16)}
    header = {"kind": "toy", "config": '{"width": 3, "name": "é"}', "basis": "x", "author": "y", "zoo": "z"}
    written = set()
    for number in range(20):
        path = tmp_path / f"{number}.safetensors"
        save_tensors(tensors, path, header)
        written.add(path.read_bytes())
    assert len(written) == 1
    with safe_open(path, "pt") as file:
        assert file.metadata() == header
    found = load_file(path)
    assert all(torch.equal(found[name], value) for name, value in tensors.items())
