"""Install a wheel into a bare environment and run the program out of it.

    python tools/check_wheel.py FOLDER

FOLDER holds one wheel and `venv/`, an environment without pip. The interpreter that runs this lends its packages, so
that torch is not installed again: it lends the folder only, by a `.pth` file in the bare environment, and `site` does
not follow the `.pth` files that lie in a lent folder, where an editable install of this repository would be.
"""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

PACKAGES = ("facepipe", "stages", "weights")
DATA = ("weights/registry.toml", "facepipe/py.typed", "stages/py.typed", "weights/py.typed")


def main(folder: Path) -> None:
    """Check the one wheel in `folder`; end with a message where it is not what it should be."""
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        sys.exit(f"expected one wheel in {folder}, got {[wheel.name for wheel in wheels]}")
    check_content(wheels[0])
    python = folder.absolute() / "venv/bin/python"
    install(wheels[0], python)
    check_origin(python)
    run_program(python.with_name("facepipe"))
    print(f"{wheels[0].name}: {wheels[0].stat().st_size / 1e6:.1f} MB, runs out of a bare environment")


def check_content(wheel: Path) -> None:
    """Compare what the wheel holds with what the repository holds."""
    names = set(zipfile.ZipFile(wheel).namelist())
    weights = [str(path) for path in Path("weights").iterdir() if path.suffix in (".safetensors", ".md")]
    code = [str(path) for package in PACKAGES for path in Path(package).rglob("*.py")]
    if missing := sorted({*DATA, *weights, *code} - names):
        sys.exit(f"{wheel.name} lacks {', '.join(missing)}")
    if strangers := sorted(name for name in names if name.split("/")[0] not in PACKAGES and ".dist-info/" not in name):
        sys.exit(f"{wheel.name} holds {', '.join(strangers)}, which belongs to none of {', '.join(PACKAGES)}")


def install(wheel: Path, python: Path) -> None:
    """Install the wheel, without its dependencies, and lend the bare environment this one's."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    own = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(own.stdout.strip()) / "lent.pth").write_text("".join(f"{path}\n" for path in sorted(lent)), "utf-8")


def check_origin(python: Path) -> None:
    """Make sure that the code which answers is the wheel's."""
    code = f"import sys, {', '.join(PACKAGES)}\nfor m in ({', '.join(PACKAGES)}): print(m.__file__)"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, cwd=python.parent)
    for line in done.stdout.splitlines():
        if python.parents[1] not in Path(line).parents:
            sys.exit(f"{line} answered in the wheel's place")


def run_program(program: Path) -> None:
    """Run the console script, away from the repository, and have it verify its weights."""
    for arguments in (["--help"], ["--version"], ["weights", "verify"]):
        subprocess.run([program, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=program.parent)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
