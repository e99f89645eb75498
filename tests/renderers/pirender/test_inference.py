"""Fast inference against the plain network, and frames of a clip against single windows."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from facepipe.media.image import to_tensor
from facepipe.renderers.pirender.config import PirenderConfig
from facepipe.renderers.pirender.cpu import CpuEditing
from facepipe.renderers.pirender.inference import FastPirender
from facepipe.renderers.pirender.net import Pirender, Rendering
from facepipe.renderers.pirender.renderer import PirenderRenderer
from facepipe.spaces.bfm.descriptor import windows


class Case(NamedTuple):
    net: Pirender
    source: Tensor
    windows: Tensor
    plain: Rendering


def lively(config: PirenderConfig) -> Pirender:
    """Return a network whose norms, flow and biases have an effect."""
    torch.manual_seed(0)
    net = Pirender(config).eval().requires_grad_(False)
    for name, value in net.named_parameters():
        if value.dim() == 1 or value.shape[1:] == (1, 1):
            value.add_(0.3 * torch.randn_like(value))
        elif "flow_out" in name or "mlp" in name:
            value.mul_(2)
    return net


def case(size: tuple[int, int], *, frames: int, dtype: torch.dtype = torch.float32, **sizes: int | bool) -> Case:
    given = {"latent": 16, "warping_width": 8, "editing_width": 8, "widest": 24, **sizes}
    net = lively(PirenderConfig(**given)).to(dtype)  # type: ignore[arg-type]
    source, windows = torch.rand(1, 3, *size, dtype=dtype) * 2 - 1, torch.randn(frames, 73, 27, dtype=dtype)
    with torch.inference_mode():
        return Case(net, source, windows, net(source.expand(frames, -1, -1, -1), windows))


def max_difference(made: Rendering, plain: Rendering) -> float:
    """Return the largest difference of any output from the plain one."""
    assert made.fake_image is not None
    assert plain.fake_image is not None
    pairs = [
        (made.flow_field, plain.flow_field),
        (made.warp_image, plain.warp_image),
        (made.fake_image, plain.fake_image),
    ]
    return max(float((one - other).abs().max()) for one, other in pairs)


def one_frame(made: Rendering, frame: int) -> Rendering:
    return Rendering(*(part[frame : frame + 1] for part in made if part is not None))


@pytest.mark.parametrize("unused_branch", [True, False])
@pytest.mark.parametrize("spectral_norm", [True, False])
def test_fast_inference_equals_the_plain_network(spectral_norm: bool, unused_branch: bool) -> None:
    sizes = {"spectral_norm": spectral_norm, "unused_branch": unused_branch}
    given = case((96, 64), frames=3, dtype=torch.float64, **sizes)
    fast = FastPirender(given.net, dtype=torch.float64)
    features, modulation = fast.prepare(given.source), fast.modulate(given.windows)
    assert max_difference(fast.render(features, modulation), given.plain) <= 1e-9
    for frame in range(3):
        made = fast.render(features, modulation.rows(frame, frame + 1))
        assert max_difference(made, one_frame(given.plain, frame)) <= 1e-9


def test_fast_inference_in_single_precision() -> None:
    given = case((64, 96), frames=2)
    fast = FastPirender(given.net, dtype=torch.float32)
    features, modulation = fast.prepare(given.source), fast.modulate(given.windows)
    for frame in range(2):
        made = fast.render(features, modulation.rows(frame, frame + 1))
        assert max_difference(made, one_frame(given.plain, frame)) <= 1e-4


def test_threads_do_not_change_the_result() -> None:
    given = case((96, 64), frames=1)
    alone, shared = FastPirender(given.net, dtype=torch.float32), FastPirender(given.net, dtype=torch.float32)
    shared.cpu_editing = CpuEditing(given.net.editing_net, threads=3)
    features, modulation = alone.prepare(given.source), alone.modulate(given.windows)
    assert max_difference(shared.render(features, modulation), alone.render(features, modulation)) == 0


def test_sizes_that_are_no_multiple_of_a_tile() -> None:
    """The network is so deep that its coarsest level is two pixels wide."""
    given = case((64, 64), frames=1, dtype=torch.float64, editing_layers=5)
    fast = FastPirender(given.net, dtype=torch.float64)
    assert max_difference(fast.render(fast.prepare(given.source), fast.modulate(given.windows)), given.plain) <= 1e-9


def test_rendering_does_not_change_the_sources_features() -> None:
    """A second rendering gives the same result."""
    given = case((64, 64), frames=2)
    fast = FastPirender(given.net, dtype=torch.float32)
    features, modulation = fast.prepare(given.source), fast.modulate(given.windows)
    first = fast.render(features, modulation)
    assert max_difference(fast.render(features, modulation), first) == 0


def test_half_precision_is_close() -> None:
    given = case((64, 64), frames=2)
    fast = FastPirender(given.net, dtype=torch.bfloat16)
    made = fast.render(fast.prepare(given.source), fast.modulate(given.windows))
    assert made.fake_image is not None
    assert given.plain.fake_image is not None
    assert made.flow_field.dtype == made.fake_image.dtype == torch.float32
    assert (made.fake_image - given.plain.fake_image).abs().mean() < 0.05


def test_frames_of_a_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame equals the plain network's for its window, which extends beyond a part of the clip."""
    rng = np.random.default_rng(0)
    net, rows = case((64, 64), frames=1).net, rng.normal(size=(30, 73))
    picture = rng.integers(0, 256, (64, 64, 3), np.uint8)
    with torch.inference_mode():
        expected = net(to_tensor(picture)[None].expand(4, -1, -1, -1), torch.from_numpy(windows(rows, 10, 14)).float())
    renderer = PirenderRenderer(FastPirender(net, dtype=torch.float32), picture)
    part = list(renderer.frames(rows, 10, 14))
    assert [(frame.shape, frame.dtype.name) for frame in part] == [((64, 64, 3), "uint8")] * 4
    assert expected.fake_image is not None
    for frame, plain in zip(part, expected.fake_image, strict=True):
        assert (to_tensor(frame) - plain).abs().max() <= 1 / 127
    # In double precision: in single, products of 4 and of 30 rows can round differently, and do with AVX-512.
    double = FastPirender(net.double(), dtype=torch.float64)
    monkeypatch.setattr(double, "modulate", lambda windows: FastPirender.modulate(double, windows.double()))
    exact = PirenderRenderer(double, picture)
    again = list(exact.frames(rows))
    assert len(again) == 30
    assert np.array_equal(np.stack(again[10:14]), np.stack(list(exact.frames(rows, 10, 14))))


@pytest.mark.cuda
@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_gives_the_same_pictures(compiled: bool, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    net, rows, picture = case((64, 64), frames=1).net, rng.normal(size=(20, 73)), np.zeros((64, 64, 3), np.uint8)
    picture[16:48, 16:48] = 255
    slow = list(PirenderRenderer(FastPirender(net, dtype=torch.float32), picture).frames(rows))
    quick = list(PirenderRenderer(FastPirender(net.cuda()), picture, compiled=compiled).frames(rows))
    assert np.abs(np.stack(slow).astype(int) - np.stack(quick)).mean() < 6
    assert not capsys.readouterr().err  # No warning: it was compiled.
