"""Training of the renderer.

    facepipe train pirender --dataset DATASET --cache CACHE --out RUN

DATASET is what `facepipe dataset build` made; its frames are unpacked into CACHE once. The run goes on from
RUN/checkpoint.pt when it is there; RUN/samples and RUN/curves (TensorBoard) show how it does. With several GPUs start
it by `torchrun --nproc-per-node N -m facepipe.train.pirender.command …`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, default_collate

from facepipe import weights
from facepipe.checkpoint import load_network
from facepipe.face.model import load_face_model
from facepipe.media.image import write_image
from facepipe.models.landmarker import Landmarker, LandmarkerConfig
from facepipe.renderers.compact.config import CompactConfig
from facepipe.renderers.compact.net import CompactNet
from facepipe.train.command import parser_of
from facepipe.train.pirender import compact
from facepipe.train.pirender.discriminator import PatchDiscriminator
from facepipe.train.pirender.heads import Heads, build_heads, clips_of, size_of
from facepipe.train.pirender.loop import Recipe, Run, new_run, step, train
from facepipe.train.pirender.losses import LandmarkerFeatures
from facepipe.train.pirender.pairs import Pair, Pairs

TARGETS_OF_UNSEEN, SAMPLE_ROWS = 4, 8


def heads_of(dataset: Path, cache: Path, *splits: str) -> Heads:
    """Return the frames of some splits of a data set, unpacked into a folder of CACHE once."""
    return build_heads(clips_of(dataset, *splits), cache / splits[0], size_of(dataset))


def unseen_batches(heads: Heads, pairs: Pairs) -> list[Pair]:
    """Return every unseen clip's first frame with a few of its others, one batch a clip."""
    random, batches = np.random.default_rng(0), []
    for clip in range(len(heads.names)):
        there = np.flatnonzero(heads.valid[heads.clip(clip)])
        rows = there[np.linspace(0, len(there) - 1, TARGETS_OF_UNSEEN + 1).astype(int)].tolist()
        batches.append(default_collate(list(pairs.drawn(clip, rows[0], rows[1:], random))))
    return batches


def sample_sheet(net: CompactNet, batches: list[Pair]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return rows of source, truth, prior, warp, result and blend (prior red, warp green, drawing blue)."""
    rows = []
    for pair in batches[:: max(1, len(batches) // SAMPLE_ROWS)]:
        batch = compact.to_batch(Pair(*(part[-2:-1] for part in pair)))
        with torch.no_grad():
            made = compact.rendered(net, batch)
        parts = (batch.source, batch.truth, batch.prior, made.warped, made.picture, made.blend * 2 - 1)
        rows.append(torch.cat([part[0] for part in parts], dim=2))
    sheet = (torch.cat(rows, dim=1) + 1) * 127.5
    return np.asarray(sheet.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy())


def run_training(asked: Any, recipe: Recipe) -> None:
    """Train the compact network."""
    # A worker forked while OpenCV's threads are about waits for them for ever.
    cv2.setNumThreads(1)
    fabric = Fabric(accelerator="auto", precision=asked.precision)
    fabric.launch()
    torch.manual_seed(recipe.seed)
    model = load_face_model(weights.find("face-model").path)
    heads, unseen = (
        heads_of(asked.dataset, asked.cache, "train"),
        heads_of(asked.dataset, asked.cache, "unseen", "test"),
    )
    held_out = unseen_batches(unseen, Pairs(unseen, model, 0, augment=False)) if fabric.is_global_zero else []
    landmarker = load_network(weights.find("landmarker").path, "landmarker", Landmarker, LandmarkerConfig)
    torch.set_num_threads(asked.threads or torch.get_num_threads())
    features = LandmarkerFeatures(landmarker).to(fabric.device)
    net, judge = CompactNet(CompactConfig()), PatchDiscriminator()
    run = new_run(net.to(fabric.device), judge.to(fabric.device), recipe)
    live, run.optimiser = fabric.setup(run.net, run.optimiser)
    live_judge, run.judge_optimiser = fabric.setup(run.judge, run.judge_optimiser)

    def batches(images: int) -> Iterable[Any]:
        pairs = Pairs(heads, model, recipe.seed + images + 1000 * fabric.global_rank)
        loader = DataLoader(pairs, batch_size=recipe.batch, num_workers=asked.workers, prefetch_factor=4)
        return fabric.setup_dataloaders(loader)

    def advance(run: Run, pair: Pair, adversarial: bool) -> dict[str, Tensor]:
        batch = compact.to_batch(pair)
        made = compact.rendered(live, batch)
        losses = compact.picture_losses(made, batch, features)
        if adversarial:
            losses |= compact.adversarial_losses(made, batch, live_judge)
        step(run.optimiser, compact.weighted(losses), run.net, fabric)
        if adversarial:
            judged = compact.discriminator_loss(made, batch, live_judge)
            step(run.judge_optimiser, judged, run.judge, fabric)
            losses |= {"discriminator": judged}
        return losses

    def evaluate(mean: nn.Module, curves: TensorBoardLogger, images: int) -> str:
        net = CompactNet(CompactConfig()).eval()
        net.load_state_dict(mean.state_dict())
        found = compact.figures(net, held_out)
        curves.log_metrics({f"unseen {name}": value for name, value in found.items()}, images)
        sheet = sample_sheet(net, held_out)
        curves.experiment.add_image("unseen", sheet, images, dataformats="HWC")
        (asked.out / "samples").mkdir(parents=True, exist_ok=True)
        write_image(asked.out / "samples" / f"{images:07}.png", sheet)
        return " ".join(f"{name} {value:.3f}" for name, value in found.items())

    train(run, recipe, asked.out, fabric, batches=batches, advance=advance, evaluate=evaluate)


def main(words: Sequence[str] | None = None) -> None:
    """Start as the words of a command line say."""
    parser = parser_of("pirender", __doc__, "cache", "out")
    parser.add_argument("--dataset", type=Path, required=True, help="what `facepipe dataset build` made")
    parser.add_argument("--images", type=int, default=400_000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--peak-rate", type=float, default=4e-4)
    parser.add_argument("--adversarial-from", type=int, default=200_000, help="images; 0 for never")
    parser.add_argument("--precision", default="32-true", help="of Lightning Fabric, e.g. bf16-mixed")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw the prior")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 for the environment's choice")
    asked = parser.parse_args(words)
    recipe = Recipe(
        batch=asked.batch,
        images=asked.images,
        peak_rate=asked.peak_rate,
        adversarial_from=asked.adversarial_from,
    )
    run_training(asked, recipe)


if __name__ == "__main__":
    main()
