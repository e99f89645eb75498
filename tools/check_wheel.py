"""Install a wheel into an empty environment and run the program from it.

    python tools/check_wheel.py FOLDER

FOLDER contains one wheel and `venv/`, an environment without pip. The empty environment uses the installed packages of
the interpreter that runs this, so that torch is not installed again: a `.pth` file adds their folder. `site` does not
process `.pth` files in that folder, so an editable install of this repository has no effect.
"""

import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

DATA = (
    "facepipe/weights/embedded/registry.toml",
    "facepipe/weights/embedded/unseen_identities.txt",
    "facepipe/py.typed",
)
REPLACED = "facepipe/stages.py"
"""The file of a checkout in whose place a wheel contains the folder stages/."""


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
    weights = [path.name for path in Path("weights").iterdir() if path.suffix in (".safetensors", ".md")]
    code = [path.as_posix() for path in Path("facepipe").rglob("*.py") if path.as_posix() != REPLACED]
    stages = [f"facepipe/{path.as_posix()}" for path in Path("stages").glob("*.py")]
    expected = {*DATA, *(f"facepipe/weights/embedded/{name}" for name in weights), *code, *stages}
    if missing := sorted(expected - names):
        sys.exit(f"{wheel.name} lacks {', '.join(missing)}")
    if foreign := sorted(name for name in names if not name.startswith("facepipe") or name == REPLACED):
        sys.exit(f"{wheel.name} holds {', '.join(foreign)}; it may take only the name facepipe")


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
    """Check that the code and the weights come from the wheel, also beside a notebook with names of the repository."""
    code = (
        "import stages, weights, facepipe.pipeline.reenact, facepipe.stages.render, facepipe.weights as own\n"
        "print(facepipe.__file__, facepipe.stages.render.__file__, own.embedded_folder(), sep='\\n')\n"
        "assert stages.MINE and weights.MINE"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in ("stages", "weights"):
            Path(folder, f"{name}.py").write_text("MINE = True\n", "utf-8")
        done = subprocess.run([python, "-c", code], check=True, stdout=subprocess.PIPE, text=True, cwd=folder)
    for line in done.stdout.splitlines():
        if python.parents[1] not in Path(line).parents:
            sys.exit(f"{line} was used instead of the wheel")


def run_program(program: Path) -> None:
    """Run the console script and `python -m facepipe` outside the repository, and verify the weights."""
    for arguments in (["--help"], ["--version"], ["weights", "verify"]):
        subprocess.run([program, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=program.parent)
    python = program.with_name("python")
    subprocess.run([python, "-m", "facepipe", "--version"], check=True, stdout=subprocess.DEVNULL, cwd=program.parent)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
