"""Khronos' validator on exported avatars, where Node.js and the package gltf-validator are there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("pygltflib", reason="needs the packages of facepipe[avatar]")

from facepipe.export.avatar_model import avatar_model
from facepipe.export.gltf import to_glb
from tests.export.avatar_parts import POINTS, small_avatar, small_take

ROOT = Path(__file__).parents[2]
MODULES = Path(os.environ.get("NODE_MODULES", ROOT / "node_modules"))


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js here")
@pytest.mark.skipif(
    not (MODULES / "gltf-validator").is_dir(), reason="no gltf-validator here: `npm install gltf-validator`"
)
def test_the_validator_finds_nothing(tmp_path: Path) -> None:
    model = avatar_model(small_avatar(), POINTS)
    contents = {"still.glb": to_glb(model), "moving.glb": to_glb(model, small_take(), about={"a": {"b": [1.5]}})}
    broken = bytearray(contents["still.glb"])
    broken[-4:] = b"\xff\xff\xff\x7f"
    contents["broken.glb"] = bytes(broken)
    paths = [tmp_path / name for name in contents]
    for path in paths:
        path.write_bytes(contents[path.name])
    command = ["node", str(ROOT / "tools/validate_gltf.mjs"), str(MODULES), *map(str, paths)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    still, moving, damaged = (json.loads(line) for line in done.stdout.splitlines())
    for report in (still, moving):
        assert report["messages"] == []
        assert report["errors"] + report["warnings"] + report["infos"] + report["hints"] == 0
    # The last bytes are those of a matrix of the skin; a file that is wrong is found wrong.
    assert damaged["errors"] > 0
