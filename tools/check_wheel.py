"""Install a wheel into an empty environment and run the program from it.

    python tools/check_wheel.py FOLDER

FOLDER contains one wheel and `venv/`, an environment without pip. The empty environment uses the installed packages of
the interpreter that runs this, so that torch is not installed again: a `.pth` file adds their folder. `site` does not
process `.pth` files in that folder, so an editable install of this repository has no effect.
"""

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

PACKAGES = ("facepipe", "stages", "weights")
DATA = ("weights/registry.toml", "facepipe/py.typed", "stages/py.typed", "weights/py.typed")


def main(folder: Path) -> None:
    """Check the only wheel in `folder`; exit with a message if a check fails."""
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        sys.exit(f"expected one wheel in {folder}, got {[wheel.name for wheel in wheels]}")
    check_content(wheels[0])
    python = folder.absolute() / "venv/bin/python"
    install(wheels[0], python)
    check_origin(python)
    run_program(python.with_name("facepipe"))
    print(f"{wheels[0].name}: {wheels[0].stat().st_size / 1e6:.1f} MB, runs from an empty environment")


def check_content(wheel: Path) -> None:
    """Compare the files in the wheel with those in the repository."""
    names = set(zipfile.ZipFile(wheel).namelist())
    weights = [str(path) for path in Path("weights").iterdir() if path.suffix in (".safetensors", ".md")]
    code = [str(path) for package in PACKAGES for path in Path(package).rglob("*.py")]
    if missing := sorted({*DATA, *weights, *code} - names):
        sys.exit(f"{wheel.name} lacks {', '.join(missing)}")
    if foreign := sorted(name for name in names if name.split("/")[0] not in PACKAGES and ".dist-info/" not in name):
        sys.exit(f"{wheel.name} holds {', '.join(foreign)}, which belongs to none of {', '.join(PACKAGES)}")


def install(wheel: Path, python: Path) -> None:
    """Install the wheel without its dependencies, and add the packages of this interpreter to the environment."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    own = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (Path(own.stdout.strip()) / "lent.pth").write_text("".join(f"{path}\n" for path in sorted(folders)), "utf-8")


def check_origin(python: Path) -> None:
    """Check that the packages are imported from the wheel."""
    code = f"import sys, {', '.join(PACKAGES)}\nfor m in ({', '.join(PACKAGES)}): print(m.__file__)"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, cwd=python.parent)
    for line in done.stdout.splitlines():
        if python.parents[1] not in Path(line).parents:
            sys.exit(f"{line} was imported instead of the wheel")


def run_program(program: Path) -> None:
    """Run the console script outside the repository, and let it verify its weights."""
    for arguments in (["--help"], ["--version"], ["weights", "verify"]):
        subprocess.run([program, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=program.parent)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
