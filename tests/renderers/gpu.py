"""Tests that need a GPU."""

import os

import pytest
import torch


def need_gpu() -> None:
    """Skip the test if torch sees no GPU; fail if FACEPIPE_REQUIRE_CUDA is set."""
    if not torch.cuda.is_available():
        assert not os.environ.get("FACEPIPE_REQUIRE_CUDA"), "FACEPIPE_REQUIRE_CUDA is set, but torch sees no GPU"
        pytest.skip("torch sees no GPU")
