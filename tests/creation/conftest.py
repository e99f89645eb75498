"""The head of avatars for tests."""

from __future__ import annotations

from tests.avatar.conftest import head, head_file, source

__all__ = ["head", "head_file", "source"]
