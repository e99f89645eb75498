"""Limits on the length of files and functions: what is longer does more than one thing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("facepipe", "stages", "tools", "tests", "examples")
MAX_FILE_LINES = 320
MAX_FUNCTION_LINES = 50


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Yield the name and the number of lines of each function, signature and docstring included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def python_files(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, f"{folder} holds no Python file"
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_is_longer_than_320_lines(folder: str) -> None:
    lengths = {path: path.read_text("utf-8").count("\n") for path in python_files(folder)}
    too_long = [f"{path.relative_to(ROOT)}: {count}" for path, count in lengths.items() if count > MAX_FILE_LINES]
    assert not too_long, "split these files by what they do"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_function_is_longer_than_50_lines(folder: str) -> None:
    too_long = {
        f"{path.relative_to(ROOT).as_posix()}: {name}"
        for path in python_files(folder)
        for name, count in functions(path.read_text("utf-8"))
        if count > MAX_FUNCTION_LINES
    }
    assert not too_long, "split these functions by what they do"
