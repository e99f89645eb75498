"""Reference numbers of the published systems: $FIXTURES, or the folder beside the repository."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch import Tensor

from facepipe.bench.recipe import filled

FOLDER = Path(os.environ.get("FIXTURES") or Path(__file__).parents[2] / "shared/fixtures")


def load_fixture(name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return a fixture's tensors and its sidecar; skip the test where the folder has no such fixture.

    A folder that was asked for and has none at all fails it: nobody shall believe that numbers were compared.
    """
    if os.environ.get("FIXTURES") and not any(FOLDER.glob("*.safetensors")):
        lack = "has no .safetensors" if FOLDER.is_dir() else "is no folder"
        pytest.fail(f"FIXTURES names {FOLDER}, which {lack}; name the folder with the reference numbers, or unset it")
    path = FOLDER / f"{name}.safetensors"
    if not path.is_file():
        pytest.skip(f"there is no {path}; FIXTURES names the folder with the reference numbers")
    return load_file(path), json.loads(path.with_suffix(".json").read_text("utf-8"))


def filled_state(recipe: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the state that a sidecar describes by the recipe hashfill-v1."""
    return {name: filled(name, shape, recipe["rules"]) for name, shape in recipe["state_keys"].items()}
