"""The engine is light: `--help` and a second run wait for it."""

import json
import subprocess
import sys

HEAVY = ("torch", "numpy", "cv2", "typer", "rich", "ffmpeg", "PIL", "safetensors", "facepipe.media", "facepipe.cli")
CODE = """
import json, sys, time
started = time.process_time()
import facepipe.engine
print(json.dumps([time.process_time() - started, sorted(sys.modules)]))
"""


def test_importing_the_engine_is_quick_and_pulls_in_nothing_heavy() -> None:
    runs = [json.loads(subprocess.check_output([sys.executable, "-c", CODE])) for _ in range(4)]
    assert [name for name in HEAVY if name in runs[0][1]] == []
    # 40 to 60 ms on a free core, twice that beside a training.
    assert min(seconds for seconds, _ in runs) < 0.15
