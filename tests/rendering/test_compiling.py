"""Compilation by torch and the fallback, with a fake compiler because the real one is slow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from facepipe.rendering import compiling
from facepipe.rendering.compiling import compiled

CPU, GPU = torch.device("cpu"), torch.device("cuda")
Function = Callable[[int], int]


@pytest.fixture(autouse=True)
def _forgetful() -> None:
    compiling._compiled.cache_clear()


def double(number: int) -> int:
    if number < 0:
        raise ValueError("below zero")
    return 2 * number


def failing(error: Exception, monkeypatch: pytest.MonkeyPatch) -> Function:
    """Return `double`, compiled by a fake compiler whose output raises an error when it is called."""

    def raises(_number: int) -> int:
        raise error

    monkeypatch.setattr(torch, "compile", lambda _function: raises)
    return compiled(double, GPU)


def test_a_function_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For any number of segments."""
    given: list[Function] = []

    def compile_it(function: Function) -> Function:
        given.append(function)
        return lambda number: number + 10

    monkeypatch.setattr(torch, "compile", compile_it)
    assert [compiled(double, GPU)(1) for _ in range(3)] == [11] * 3
    assert given == [double]


def test_a_function_that_fails_to_compile_runs_uncompiled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    function = failing(RuntimeError("Failed to find C compiler.\nPlease specify via CC."), monkeypatch)
    assert [function(1), function(2)] == [2, 4]
    assert capsys.readouterr().err == "facepipe: rendering without torch.compile: Failed to find C compiler.\n"
    with pytest.raises(ValueError, match="below zero"):
        function(-1)


def test_an_out_of_memory_error_is_not_a_failure_to_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is halved, and rendered by the compiled function."""
    with pytest.raises(torch.OutOfMemoryError):
        failing(torch.OutOfMemoryError("CUDA"), monkeypatch)(1)


def test_without_a_gpu_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delattr(torch, "compile")
    assert [compiled(double, CPU)(number) for number in (1, 2)] == [2, 4]
    assert capsys.readouterr().err == "facepipe: rendering without torch.compile: torch finds no GPU\n"
