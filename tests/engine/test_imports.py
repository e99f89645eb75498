"""The engine is light: `--help` and a second run wait for it."""

import json
import subprocess
import sys

HEAVY = ("torch", "numpy", "cv2", "typer", "rich", "ffmpeg", "PIL", "safetensors", "facepipe.media", "facepipe.cli")
CODE = "import json, sys, facepipe.engine; print(json.dumps(sorted(sys.modules)))"


def test_importing_the_engine_pulls_in_nothing_heavy() -> None:
    modules = json.loads(subprocess.check_output([sys.executable, "-c", CODE]))
    assert [name for name in HEAVY if name in modules] == []
