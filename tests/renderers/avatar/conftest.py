"""The head of avatars for tests of their renderer."""

from tests.avatar.conftest import head, head_file, source

__all__ = ["head", "head_file", "source"]
