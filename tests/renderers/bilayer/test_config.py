"""Sizes that fit together, and sizes that do not."""

from __future__ import annotations

import dataclasses

import pytest

from facepipe.renderers.bilayer.config import BilayerConfig


def test_the_published_sizes_differ_in_the_inference_generator() -> None:
    small, medium, large = (BilayerConfig.of(size) for size in ("small", "medium", "large"))
    assert medium == BilayerConfig()
    assert [float(config.ratio) for config in (small, medium, large)] == [0.25, 0.5, 1]
    assert dataclasses.replace(small, inference_width=64, inference_widest=512) == large


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"texture_width": 32}, "texture generator has widths 32 to 512, expected those of the embedder, 64 to 512"),
        ({"inference_widest": 512}, "inference generator has widths 32 to 512, expected both .* 64 to 512"),
        ({"side_pixels": 192}, "side_pixels is 192, expected embedding_side .8. times a power of two"),
        ({"texture_input_side": 8}, "has 5 stages and the inference generator 6"),
        (
            {"side_pixels": 8, "enhancer_side": 4, "texture_widest": 512},
            "texture_widest is 512, expected at most 128",
        ),
        ({"inference_width": 3, "inference_widest": 24}, "3/64 times as wide as the embedder"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BilayerConfig(**sizes)  # type: ignore[arg-type]
