"""Models are loaded once per process, and again when their files change."""

from __future__ import annotations

from pathlib import Path

import torch

from facepipe.weights.loaded import load_once

LOADED: list[str] = []


def load(*paths: Path) -> str:
    LOADED.append("".join(path.read_text() for path in paths))
    return LOADED[-1]


def test_a_model_is_loaded_once_until_its_file_changes(tmp_path: Path) -> None:
    path, threads = tmp_path / "weight", torch.get_num_threads()
    path.write_text("one")
    LOADED.clear()
    assert load_once(load, path) is load_once(load, path)
    path.write_text("other")
    assert load_once(load, path) == "other"
    assert load_once(load, path, path) == "otherother"
    assert LOADED == ["one", "other", "otherother"]
    load_once(load, path, threads=2)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)
