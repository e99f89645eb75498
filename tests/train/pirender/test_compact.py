"""Training of the compact renderer: its two phases, in one process and in two that learn the same."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.train.pirender.batch import Batch, rendered, to_batch
from facepipe.train.pirender.compact import CompactTraining, picture_losses
from facepipe.train.pirender.discriminator import (
    PatchDiscriminator,
    Window,
    adversarial_losses,
    discriminator_loss,
    matching,
    random_window,
    weighted_mean,
)
from facepipe.train.pirender.frame_cache import FrameCache, build_frame_cache
from facepipe.train.pirender.loop import Recipe
from tests.dataset.material import add_coefficients, make_dataset
from tests.face.faces import face_model
from tests.train.pirender.test_pairs import SIDE, clip


def training(cache: FrameCache, fabric: Fabric) -> CompactTraining:
    torch.manual_seed(0)
    landmarker = Landmarker(LandmarkerConfig(widths=(8, 8), depths=(1, 1), size_pixels=32))
    recipe = Recipe(batch=4, images=40, peak_rate=1e-3, warm_up_images=1, adversarial_from=20, workers=0)
    return CompactTraining(recipe, fabric, cache, cache, face_model(), landmarker)


def state_of(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in module.parameters()])


def test_the_discriminator_joins_in_the_second_phase(tmp_path: Path) -> None:
    """It changes only in the second phase, and only by its own step."""
    found = training(build_frame_cache([clip(0), clip(1)], tmp_path, SIDE), Fabric(accelerator="cpu"))
    stream = iter(found.batches(0))
    before = state_of(found.run.net), state_of(found.run.discriminator)
    first = found.advance(next(stream))
    assert set(first) == {"l1", "edges", "features", "points", "warp", "detail", "crossed", "coarse"}
    assert not torch.equal(before[0], state_of(found.run.net))
    assert torch.equal(before[1], state_of(found.run.discriminator))
    found.run.images = 20
    assert set(found.advance(next(stream))) == {*first, "adversarial", "matching", "discriminator"}
    assert not torch.equal(before[1], state_of(found.run.discriminator))
    assert all(value.requires_grad for value in found.run.discriminator.parameters())


def pictures(seed: int) -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_window_is_the_same_part_of_all_pictures() -> None:
    nothing = torch.zeros(0)
    points = torch.from_numpy(face_model().mean).float().expand(2, -1, -1) * 16 + 32
    parts = (nothing, pictures(1) + 10, pictures(1) + 20, nothing, nothing, nothing, points)
    batch = Batch(*parts, crossed=torch.tensor([True, False]))
    torch.manual_seed(0)
    places = set()
    for _ in range(20):
        seen = random_window(pictures(1), batch)
        assert seen.made.shape == (2, 3, 32, 32)
        torch.testing.assert_close(seen.truth, seen.made + 10)
        torch.testing.assert_close(seen.prior, seen.made + 20)
        assert seen.weight.max() == 8
        places.add(float(seen.made[0, 0, 0, 0]))
    assert len(places) > 10


def test_one_pass_over_both_pictures_equals_two() -> None:
    """All rendered pictures are scored, but only known truths are used as real ones."""
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(8).eval()
    weight = torch.rand(2, 1, 64, 64)
    for crossed in ([False, False], [True, False]):
        seen = Window(pictures(0), pictures(1), pictures(2), weight, torch.tensor(crossed))
        known = ~seen.crossed
        fake, real = discriminator(seen.made, seen.prior), discriminator(seen.truth[known], seen.prior[known])
        losses = adversarial_losses(seen, discriminator)
        torch.testing.assert_close(losses["adversarial"], -weighted_mean(fake[0], weight))
        torch.testing.assert_close(losses["matching"], matching([part[known] for part in fake[1]], real[1]))
        real_loss, fake_loss = torch.relu(1 - real[0]), torch.relu(1 + fake[0])
        wanted = weighted_mean(real_loss, weight[known]) + weighted_mean(fake_loss, weight)
        torch.testing.assert_close(discriminator_loss(seen, discriminator), wanted)


def test_scores_are_weighted_by_their_pixels() -> None:
    scores, weight = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 64, 64)
    scores[..., :4] = 1
    assert weighted_mean(scores, weight) == 0.5
    weight[..., :32] = 3
    assert weighted_mean(scores, weight) == 0.75


def test_a_crossed_pair_has_no_truth(tmp_path: Path) -> None:
    """The placeholder of the truth changes no loss, and the target points do."""
    found = training(build_frame_cache([clip(0), clip(1)], tmp_path, SIDE), Fabric(accelerator="cpu"))
    batch = to_batch(next(iter(found.batches(0))))
    assert batch.crossed.tolist() == [False, False, False, True]
    with torch.no_grad():
        made = rendered(found.net, batch)
    found.landmarker.eval()
    losses = picture_losses(made, batch, found.landmarker)
    truth = batch.truth.clone()
    truth[3] = 0.5
    for name, value in picture_losses(made, batch._replace(truth=truth), found.landmarker).items():
        torch.testing.assert_close(value, losses[name])
    moved = picture_losses(
        made, batch._replace(points=batch.points * batch.points.new_tensor([1, 0.9, 1])), found.landmarker
    )
    assert moved["crossed"] != losses["crossed"]


PROGRAM = """
import sys, time
from functools import partial
from pathlib import Path
import torch
from facepipe.train.pirender import command
from tests.train.pirender import test_compact, test_official
from tests.train.pirender.test_pairs import SIDE, clip

folder = Path(sys.argv[1])
torch.set_num_threads(1)

def clips(network, *_):
    print(network, "reads the clips", flush=True)
    while len(list(folder.glob(network + ".here.*"))) < 2:
        time.sleep(0.01)
    time.sleep(0.2)  # long enough for the other process to start reading
    yield from (clip(0), clip(1))

command.size_of = lambda _: SIDE
for network in ("compact", "official"):
    fabric = command.fabric_of(network)
    fabric.launch()
    (folder / f"{network}.here.{fabric.global_rank}").touch()
    command.clips_of = partial(clips, network)
    cache = command.frame_cache_of(fabric, folder / "set", folder / network, "train")
    if network == "compact":
        found = test_compact.training(cache, fabric)
    else:
        found = test_official.training(folder / "set", cache, fabric)
    stream = iter(found.batches(0))
    for images in (0, 2, 20, 22):
        found.run.images = images
        found.advance(next(stream))
    parts = (found.run.net, found.run.discriminator)
    both = fabric.all_gather(torch.cat([test_compact.state_of(part) for part in parts]))
    if fabric.is_global_zero:
        print(network, "apart by", float((both[0] - both[1]).abs().max()), "of", float(both.abs().max()))
# A process that merely ends may be aborted while the other, on a busy machine, still waits for it.
torch.distributed.destroy_process_group()
"""


def on_two_processes(program: Path, *arguments: str) -> str:
    """Run a program in two processes of torchrun, and return its output."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(port)]
    paths = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*torchrun, str(program), *arguments],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of the program; one pair of processes trains both networks, as starting them takes longest."""
    folder = tmp_path_factory.mktemp("two")
    make_dataset(folder / "set", "p0#c0", "p1#c1")
    add_coefficients(folder / "set", "c0", "c1")
    (folder / "program.py").write_text(PROGRAM, encoding="utf-8")
    return on_two_processes(folder / "program.py", str(folder))


@pytest.mark.slow
@pytest.mark.parametrize("network", ["compact", "official"])
def test_two_processes_learn_the_same(network: str, printed: str) -> None:
    """One process unpacks the clips for both. They see different pairs and exchange gradients in both phases."""
    lines = [line for line in printed.splitlines() if line.startswith(network)]
    assert lines[0] == f"{network} reads the clips"
    assert len(lines) == 2, printed
    assert float(lines[1].split("apart by ")[1].split()[0]) == 0, printed
