"""Compiled loops read no constant of another module: numba's cache does not notice that it has changed."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "facepipe"
FILES = [path for path in sorted(ROOT.rglob("*.py")) if "facepipe.models.compiled import" in path.read_text("utf-8")]


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
