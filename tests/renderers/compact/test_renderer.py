"""The compact renderer on painted heads, with a tiny network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facepipe.face.cropping import SquareCrop
from facepipe.face.fitting import fit
from facepipe.face.pose import Similarity
from facepipe.renderers.compact.net import CompactNet
from facepipe.renderers.compact.renderer import CompactRenderer
from facepipe.renderers.mesh.renderer import MeshRenderer
from facepipe.rendering.conditioning import conditioning_of, motion_of, surface_table
from facepipe.spaces.coefficients import from_fit
from tests.face.faces import face_model
from tests.renderers import painted
from tests.renderers.compact.test_net import TINY
from tests.renderers.painted import Picture, closed, expression_of, pose_at

SIZE = 64


def poses(*degrees: tuple[float, float, float]) -> Similarity:
    rows = [pose_at(SIZE, one) for one in degrees]
    return Similarity(*(np.concatenate(parts) for parts in zip(*rows, strict=True)))


def network(*, trained: bool) -> CompactNet:
    torch.manual_seed(0)
    net = CompactNet(TINY).eval()
    if trained:
        torch.nn.init.normal_(net.final.weight, std=0.5)
    return net


def renderer(
    *, trained: bool, batch_frames: int = 4, threads: int = 1, net: CompactNet | None = None, compiled: bool = False
) -> CompactRenderer:
    source = painted.portrait(SIZE, closed(), pose_at(SIZE))
    prior, net = MeshRenderer(face_model(), source), net or network(trained=trained)
    return CompactRenderer(
        net, face_model(), source, prior, batch_frames=batch_frames, threads=threads, compiled=compiled
    )


def rows() -> tuple[np.ndarray, Similarity]:
    expression = np.concatenate([closed(), expression_of(jaw_open=1.0), closed(smile=1.0)])
    return expression, poses((0, 0, 0), (0, 20, 0), (10, -15, 5))


def frames_of(made: CompactRenderer) -> list[Picture]:
    return list(made.frames(*rows()))


def test_the_untrained_network_stays_close_to_the_mesh_renderer() -> None:
    """Every frame, in order, is close to the prior's."""
    made = renderer(trained=False)
    expected = list(made.prior.frames(*rows()))  # type: ignore[attr-defined]
    found = frames_of(made)
    assert len(found) == len(expected) == 3
    for one, other in zip(found, expected, strict=True):
        assert one.shape == (SIZE, SIZE, 3)
        assert one.dtype == np.uint8
        assert np.abs(one.astype(int) - other).mean() < 8
    assert np.abs(expected[0].astype(int) - expected[1]).mean() > 2


@pytest.mark.parametrize("batch_frames", [1, 2])
def test_batches_do_not_change_a_frame(batch_frames: int) -> None:
    """Frames rendered in batches equal those rendered one by one, up to rounding."""
    for one, other in zip(
        frames_of(renderer(trained=True, batch_frames=batch_frames)), frames_of(renderer(trained=True)), strict=True
    ):
        assert np.abs(one.astype(int) - other).max() <= 1


@pytest.mark.parametrize("threads", [0, 2, 3])
def test_threads_do_not_change_a_byte(threads: int) -> None:
    """Results do not depend on the number of cores of a machine or worker."""
    made = [frames_of(renderer(trained=True, batch_frames=1, threads=count)) for count in (1, threads)]
    for one, other in zip(*made, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.cuda
@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_gives_the_same_pictures(compiled: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """In half precision, with the default batch size and one thread."""
    net = network(trained=True).requires_grad_(False).to("cuda", torch.bfloat16)
    made = renderer(trained=True, batch_frames=0, threads=3, net=net, compiled=compiled)
    assert (made.batches.frames, made.batches.threads) == (16, 1)
    quick, slow = np.stack(frames_of(made)), np.stack(frames_of(renderer(trained=True)))
    assert np.abs(slow.astype(int) - quick).mean() < 6
    assert not capsys.readouterr().err  # No warning: it was compiled.


def test_conditioning_maps_regions_and_canonical_points() -> None:
    """A pixel has at most one region, canonical points are zero off the face, the source's own pose shifts nothing."""
    source = painted.portrait(SIZE, closed(), pose_at(SIZE))
    prior = MeshRenderer(face_model(), source)
    table = surface_table(face_model(), prior.regions())
    conditioning = conditioning_of(prior, table, source.points, source.pose)
    regions, canonical = conditioning.maps[3:6], conditioning.maps[6:]
    assert set(np.unique(regions.sum(0))) == {0.0, 1.0}
    assert (np.abs(canonical).sum(0)[regions.sum(0) == 0] == 0).all()
    assert np.abs(conditioning.maps[:2]).max() < 0.02
    middle = canonical[0][regions[0] > 0]
    left, right = canonical[0, SIZE // 4, 8:16].min(), canonical[0, SIZE // 4, 16:24].max()
    assert middle.min() < -0.3 < 0.3 < middle.max()
    assert left < 0 < right


def test_motion_has_the_conventions_of_coefficients() -> None:
    """Expressions, angles and translation equal those of a coefficient file of the same crop."""
    expression, pose = rows()
    shapes = pose.apply(face_model().shape(np.zeros(80), expression))
    fitted = fit(face_model(), shapes, np.ones(3, bool))
    crop = SquareCrop(SIZE / 2, SIZE / 2, SIZE)
    own = from_fit(fitted, np.ones(3, bool), fps=25, crop=crop, picture_size=(SIZE, SIZE))  # type: ignore[arg-type]
    found = motion_of(own.expression, own.pose(SIZE), SIZE)
    expected = np.concatenate([own.expression, own.angles, own.translation], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)
