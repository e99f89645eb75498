"""Reference numbers of the published systems, in $FIXTURES or the folder beside the repository."""

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
    """Return a fixture's tensors and its sidecar; skip the test if the folder does not have this fixture.

    If FIXTURES is set and its folder has no fixtures at all, the test fails, so that a wrong path is noticed.
    """
    if os.environ.get("FIXTURES") and not any(FOLDER.glob("*.safetensors")):
        fault = "has no .safetensors" if FOLDER.is_dir() else "is not a folder"
        pytest.fail(
            f"FIXTURES names {FOLDER}, which {fault}; set it to the folder of the reference numbers, or unset it"
        )
    path = FOLDER / f"{name}.safetensors"
    if not path.is_file():
        pytest.skip(f"there is no {path}; set FIXTURES to the folder of the reference numbers")
    return load_file(path), json.loads(path.with_suffix(".json").read_text("utf-8"))


def filled_state(recipe: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the state dict that a sidecar describes by the recipe hashfill-v1."""
    return {name: filled(name, shape, recipe["rules"]) for name, shape in recipe["state_keys"].items()}
