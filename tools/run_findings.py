"""Run the scripts of findings/ and print a summary; the exit code is 1 if something changed in one of them.

    python tools/run_findings.py [FOLDER]

The scripts use the interpreter that runs this.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def main(folder: Path) -> int:
    """Run every script of a folder in turn; return the exit code."""
    scripts, changed = sorted(folder.glob("*.sh")), []
    for script in scripts:
        print(f"{script.stem}:", flush=True)
        if subprocess.run(["sh", script], check=False, env={**os.environ, "PYTHON": sys.executable}).returncode:
            changed.append(script.stem)
    print(f"{len(scripts)} findings, {len(changed)} changed" + (f": {', '.join(changed)}" if changed else ""))
    return int(bool(changed))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "findings"))
