"""Every remark has a place in the documentation."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def codes_in(path: Path) -> Iterator[str]:
    """Yield the codes of the remarks that a module makes."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            given = [*node.args[:1], *(one.value for one in node.keywords if one.arg == "code")]
            if node.func.id == "Remark" or (node.func.id == "Remarked" and node.keywords):
                yield from (one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str))


def test_every_remark_is_documented() -> None:
    files = [*(ROOT / "facepipe").rglob("*.py"), *(ROOT / "stages").rglob("*.py")]
    codes = {code for path in files for code in codes_in(path)}
    assert len(codes) > 30
    pages = "\n".join(path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md"))
    assert sorted(code for code in codes if f"`{code}`" not in pages) == []
