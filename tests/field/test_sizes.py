"""Odd sizes: a video is padded to an even size, and it is said."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facepipe.media.encode import VideoWriter
from facepipe.media.image import read_image, write_image
from facepipe.media.probe import probe_video
from tests.field.people import remarks
from tests.pipeline.scene import Scene, run

SIZES = {
    (32, 24): "",
    (31, 24): "pictures of 31x24 become 32x24, because a video needs even sizes: the last column is repeated",
    (32, 23): "pictures of 32x23 become 32x24, because a video needs even sizes: the last row is repeated",
    (31, 23): "pictures of 31x23 become 32x24, because a video needs even sizes: the last column and row are repeated",
}


@pytest.mark.parametrize("size", SIZES)
def test_what_is_added_is_said(size: tuple[int, int], tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", size=size, fps=Fraction(25)) as writer:
        writer.write(np.zeros((size[1], size[0], 3), np.uint8))
    info = probe_video(tmp_path / "a.mp4")
    assert (info.width, info.height) == (32, 24)
    assert "".join(remark.text for remark in writer.remarks) == SIZES[size]


def test_a_result_of_an_odd_size_says_it_once(scene: Scene, tmp_path: Path) -> None:
    """Each of several segments is padded."""
    odd, out = tmp_path / "odd.png", tmp_path / "a.mp4"
    write_image(odd, read_image(scene.portrait)[:299, :319])
    outcome = run("render", odd, scene.motion, "-o", out, "--paste-back", "--json", "--work", tmp_path / "work")
    assert outcome.exit_code == 0, outcome.stderr
    assert "319x299 become 320x300" in remarks(outcome)["size-padded"]
    assert [event["code"] for event in outcome.events if event["event"] == "remark"].count("size-padded") == 1
