"""The head of avatars for tests."""

from tests.avatar.conftest import head, head_file, source

__all__ = ["head", "head_file", "source"]
