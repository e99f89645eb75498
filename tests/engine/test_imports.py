"""Importing the engine is fast, as `--help` and repeated runs wait for it."""

import json
import subprocess
import sys

HEAVY = ("torch", "numpy", "cv2", "typer", "rich", "ffmpeg", "PIL", "safetensors", "facepipe.media", "facepipe.cli")
CODE = "import json, sys, facepipe.engine; print(json.dumps(sorted(sys.modules)))"


def test_importing_the_engine_loads_no_heavy_module() -> None:
    modules = json.loads(subprocess.check_output([sys.executable, "-c", CODE]))
    assert [name for name in HEAVY if name in modules] == []
