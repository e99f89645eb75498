"""What a renderer computes once for a source: computed once, kept, and the same as computed on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from facepipe.media.image import to_tensor
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.inference import FastPirender, SourceFeatures
from facepipe.renderers.pirender.renderer import PirenderRenderer
from tests.pipeline.official_weights import add_deep3d, add_pirender
from tests.pipeline.scene import Scene, run
from tests.renderers.pirender.test_inference import lively

OFFICIAL = ("--weights", "pirender-official")


@pytest.fixture(autouse=True)
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with small random networks of the published kind."""
    monkeypatch.setenv("FACEPIPE_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.delenv("FACEPIPE_RENDER_RENDERER")
    add_deep3d(tmp_path)
    add_pirender(tmp_path)
    return tmp_path


def test_a_second_driver_computes_nothing_of_the_source_again(
    scene: Scene, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three segments and a second driver: the source's features are computed once."""
    computed: list[tuple[int, ...]] = []
    prepare = FastPirender.prepare

    def counted(self: FastPirender, picture: torch.Tensor) -> SourceFeatures:
        computed.append(tuple(picture.shape))
        return prepare(self, picture)

    monkeypatch.setattr(FastPirender, "prepare", counted)
    monkeypatch.setenv("FACEPIPE_WORK_SEGMENT_FRAMES", "7")
    common = ("reenact", scene.portrait, "--work", mine / "work", "--json", *OFFICIAL)
    first = run(*common[:2], scene.driver, "-o", mine / "a.mp4", *common[2:])
    assert [label.split()[0] for label in first.made()].count("render") == 3
    assert "prepare source" in first.made()
    second = run(*common[:2], scene.portrait, "-o", mine / "b.png", *common[2:])
    assert second.exit_code == 0, second.stderr
    assert "prepare source" not in second.made()
    assert len(computed) == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_stored_features_render_the_same_bytes(dtype: torch.dtype, tmp_path: Path) -> None:
    """Through a file and back, in either precision."""
    net = FastPirender(lively(PirenderConfig(latent=16, warping_width=8, editing_width=8, widest=24)), dtype=dtype)
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    rows = np.random.default_rng(1).normal(size=(5, 73)).astype(np.float32)
    prepared = net.prepare(to_tensor(picture)[None])
    save_file({name: one.contiguous() for name, one in prepared._asdict().items()}, tmp_path / "p.safetensors")
    stored = net.restored(load_file(tmp_path / "p.safetensors"))
    for name, one in prepared._asdict().items():
        assert torch.equal(one, getattr(stored, name))
        assert one.stride()[1:] == getattr(stored, name).stride()[1:]
    for made, again in zip(*(PirenderRenderer(net, one).frames(rows) for one in (picture, stored)), strict=True):
        np.testing.assert_array_equal(made, again)
