"""What a renderer would have torch compile."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


def compilations(renderer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have a renderer's module compile nothing, and return the list to which it adds the names of what it would."""
    compiled: list[str] = []

    def as_compiled(function: Callable[..., Any], _device: object) -> Callable[..., Any]:
        compiled.append(getattr(function, "__name__", type(function).__name__))
        return function

    monkeypatch.setattr(renderer, "as_compiled", as_compiled)
    return compiled
