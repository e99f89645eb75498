"""Compiled loops read no constant of another module: numba's cache does not notice that it has changed."""

import ast
from pathlib import Path
from typing import Any

import pytest
from numba import njit
from skimage import data
from typer.testing import CliRunner

from facepipe.cli import app
from facepipe.engine.events import Remarked
from facepipe.media.image import write_image
from facepipe.models import compiled
from facepipe.requests import CropRequest, run
from facepipe.settings import Settings

ROOT = Path(__file__).parents[2] / "facepipe"
FILES = [
    path for path in sorted(ROOT.rglob("*.py")) if "facepipe.models.compiled import compiled" in path.read_text("utf-8")
]


def foreign_constants(source: str) -> set[str]:
    """Return the names in capitals that compiled functions read from other modules."""
    module = ast.parse(source)
    imports = [node for node in module.body if isinstance(node, ast.ImportFrom)]
    imported = {alias.asname or alias.name for node in imports for alias in node.names}
    loops = [node for node in module.body if isinstance(node, ast.FunctionDef) and _is_compiled(node)]
    assert loops
    read = {node.id for loop in loops for node in ast.walk(loop) if isinstance(node, ast.Name)}
    return {name for name in read & imported if name.isupper()}


def _is_compiled(function: ast.FunctionDef) -> bool:
    return any("compiled" in ast.unparse(decorator) for decorator in function.decorator_list)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_loops_read_no_constant_of_another_module(path: Path) -> None:
    assert foreign_constants(path.read_text("utf-8")) == set()


def test_such_a_constant_is_found() -> None:
    source = "from a import LIMIT\n\n@compiled\ndef loop(x):\n    return x < LIMIT\n"
    assert foreign_constants(source) == {"LIMIT"}


def test_code_that_cannot_be_kept_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As for a user without a home folder, in an installation that only root may write."""

    jit: Any = njit

    def without_place(*, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function 'loop': no locator available")
        return jit(**options)

    monkeypatch.setattr(compiled, "_uncached", [])
    monkeypatch.setattr(compiled, "njit", without_place)
    events: list[object] = []
    request = CropRequest(inputs=(data_picture(tmp_path),), out=tmp_path / "crop.png", work=tmp_path / "work")

    def told() -> list[str]:
        events.clear()
        run(request, Settings(), events=events.append)
        return [event.message for event in events if isinstance(event, Remarked) and "compilation" in event.code]

    double: Any = compiled.compiled(lambda x: 2 * x)
    assert told() == [], "nothing was compiled"
    assert double(2) == 4
    assert len(told()) == 1
    assert "NUMBA_CACHE_DIR" in told()[0]
    assert "NUMBA_CACHE_DIR" in CliRunner().invoke(app, ["doctor"]).stdout


def data_picture(folder: Path) -> Path:
    """Return a portrait."""
    path = folder / "portrait.png"
    write_image(path, data.astronaut()[:300, 60:380])  # type: ignore[no-untyped-call]
    return path
