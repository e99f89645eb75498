"""Installing face-alignment beside opencv-python-headless replaces its files, and `pip check` reports nothing.

face-alignment 1.5.0 requires opencv-python. A program that runs on servers uses opencv-python-headless. Both packages
install the module cv2 into the same folder.

Expected: pip refuses to install the second one, or `pip check` reports the conflict; and uninstalling one of the two
leaves the other working.

Observed: the files installed last win. `pip check` finds no broken requirements. After opencv-python is uninstalled,
opencv-python-headless is still listed as installed and `import cv2` fails.

facepipe depends on opencv-python-headless. Its Makefile installs face-alignment without its dependencies, and
face-alignment works with the headless build.

    Python 3.11.7, face-alignment==1.5.0, opencv-python-headless==5.0.0.93, opencv-python==5.0.0.93
    as found  face-alignment requires opencv-python
    as found  with the headless package alone, cv2 is imported
    as found  the two packages install the same file cv2/__init__.py
    as found  with both, pip check finds no broken requirements
    as found  without opencv-python the headless package is still listed
    as found  and cv2 cannot be imported any more
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HEADLESS, DESKTOP = "opencv-python-headless==5.0.0.93", "opencv-python==5.0.0.93"
FACE_ALIGNMENT = "face-alignment==1.5.0"
FILES = """
import json
from importlib.metadata import files
print(json.dumps([sorted(map(str, files(name))) for name in ("opencv-python", "opencv-python-headless")]))
"""


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command and return its output, whatever its exit code."""
    return subprocess.run(command, capture_output=True, text=True, check=False)


def install(python: Path, *arguments: str) -> None:
    """Install packages, or end with pip's error."""
    done = run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments)
    if done.returncode:
        sys.exit(done.stderr)


def observe(folder: Path) -> dict[str, object]:
    """Return what happens, by what was expected."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    install(python, "--no-deps", "--target", str(folder / "alone"), FACE_ALIGNMENT)
    [metadata] = (folder / "alone").glob("face_alignment-*.dist-info/METADATA")
    install(python, HEADLESS)
    before = run(python, "-c", "import cv2; print(cv2.__version__)")
    install(python, DESKTOP)
    desktop, headless = json.loads(run(python, "-c", FILES).stdout)
    check = run(python, "-m", "pip", "check")
    run(python, "-m", "pip", "uninstall", "--yes", "opencv-python")
    listed = run(python, "-m", "pip", "list", "--format", "json").stdout
    after = run(python, "-c", "import cv2; print(cv2.__version__)")
    return {
        "face-alignment requires opencv-python": "Requires-Dist: opencv-python\n" in metadata.read_text("utf-8"),
        "with the headless package alone, cv2 is imported": before.returncode == 0,
        "the two packages install the same file cv2/__init__.py": "cv2/__init__.py" in {*desktop} & {*headless},
        "with both, pip check finds no broken requirements": check.returncode == 0,
        "without opencv-python the headless package is still listed": "opencv-python-headless" in listed,
        "and cv2 cannot be imported any more": "No module named 'cv2'" in after.stderr,
    }


def main() -> int:
    """Print the versions and the observations; return 1 if one of them changed."""
    print(f"Python {sys.version.split()[0]}, {FACE_ALIGNMENT}, {HEADLESS}, {DESKTOP}")
    with tempfile.TemporaryDirectory() as folder:
        observed = observe(Path(folder))
    for statement, holds in observed.items():
        print(f"{'as found' if holds else 'CHANGED':8}  {statement}")
    return int(not all(observed.values()))


if __name__ == "__main__":
    sys.exit(main())
