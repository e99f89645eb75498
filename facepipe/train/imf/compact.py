"""The training of the compact implicit motion network.

E_T is trained before (`facepipe.train.imf.tokens`). The first stage trains motion maps and the correspondence, which
need no picture of full size: the mesh says where the points of the face are, a picture carried along decides elsewhere.
The second trains all of IMF_D, IMF_A, E_F and D_F, by 10 L1 and perceptual losses of our own landmarker, and, once it
has joined, a discriminator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from facepipe.checkpoint import check_state
from facepipe.face.model import FaceModel
from facepipe.models.landmarker import Landmarker
from facepipe.renderers.imf.compact.config import ImfCompactConfig
from facepipe.renderers.imf.compact.motion import Motion
from facepipe.renderers.imf.compact.net import ImfCompact
from facepipe.renderers.imf.psi import PREFIX
from facepipe.train.imf.couples import Couple, Couples
from facepipe.train.imf.heads import Heads
from facepipe.train.imf.losses import (
    Batch,
    picture_losses,
    place_losses,
    surface_losses,
    swapped,
    to_batch,
    weighted,
)
from facepipe.train.imf.tokens import Faces, TokenRecipe, begin_tokens, train_tokens
from facepipe.train.imf.validation import Validation
from facepipe.train.loop import network_state
from facepipe.train.pirender.discriminator import PatchDiscriminator, Window, matching, weighted_mean
from facepipe.train.pirender.frame_cache import FrameCache
from facepipe.train.pirender.landmarks import LandmarkerLosses
from facepipe.train.pirender.loop import Picture, Recipe, Run, new_run, step
from facepipe.train.pirender.losses import attention


@dataclass(frozen=True)
class CompactRecipe(Recipe):
    """Hyperparameters; `batch` is twice the number of couples, `images` counts pictures of both stages."""

    place_images: int = 0
    """Images of the first stage."""
    low_precision: bool = True
    """Whether the convolutions run in bfloat16. Tokens, modulation and positions are float32 in any case."""
    one_clip_steps: int = 1
    """Steps with batches of one clip before batches of another."""


@dataclass
class ImfRun(Run):
    """A run with the heads of the training."""

    heads: nn.Module = field(default_factory=nn.Identity)

    def start_at(self, path: Path) -> None:
        """Load a network from a checkpoint or a released file, without its map from coefficients."""
        state = {name: value for name, value in network_state(path).items() if not name.startswith(PREFIX)}
        check_state(state, self.net, path)
        for net in (self.net, self.mean.module):
            net.load_state_dict(state)

    @staticmethod
    def _parts() -> dict[str, str]:
        return {**Run._parts(), "heads": "heads"}


def new_imf_run(net: ImfCompact, heads: Heads, recipe: Recipe) -> ImfRun:
    """Return a run before its first step. E_T keeps its weights: it is trained before."""
    run = ImfRun(**vars(new_run(net, PatchDiscriminator(), recipe)), heads=heads)
    net.token_encoder.requires_grad_(False)
    learning = [one for one in net.parameters() if one.requires_grad]
    run.optimiser = torch.optim.AdamW(
        [*learning, *heads.parameters()],
        lr=recipe.peak_rate,
        betas=recipe.betas,
        eps=recipe.epsilon,
        weight_decay=recipe.decay,
        fused=True,
    )
    return run


class CompactTraining:
    """The compact network with its heads, its discriminator and its data."""

    def __init__(
        self,
        recipe: CompactRecipe,
        fabric: Fabric,
        cache: FrameCache,
        model: FaceModel,
        landmarker: Landmarker,
        *,
        held_out: int = 12,
        config: ImfCompactConfig | None = None,
    ) -> None:
        """Set up a run. `held_out` people of the cache are kept for validation."""
        self.recipe, self.fabric, self.cache, self.model = recipe, fabric, cache, model
        self.clips, kept = divided(cache, held_out)
        self.validation = Validation(cache, kept, model, landmarker)
        self.landmarker = LandmarkerLosses(landmarker).to(fabric.device)
        torch.manual_seed(recipe.seed)
        net = ImfCompact(config or ImfCompactConfig()).to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.run = new_imf_run(net, Heads(net.config).to(fabric.device), recipe)

    def batches(self, images: int) -> Iterable[Any]:
        """Return endless batches of couples."""
        couples = Couples(self.cache, self.model, self.clips, self.recipe.seed + images)
        loader = DataLoader(couples, batch_size=self.recipe.batch // 2)
        return repeated(loader, self.recipe.one_clip_steps) if self.recipe.one_clip_steps > 1 else loader

    def begin(self, landmarker: Landmarker, recipe: TokenRecipe) -> None:
        """Train E_T, beginning with the landmarker's features."""
        net = cast("ImfCompact", self.run.net)
        encoder = net.token_encoder.requires_grad_(True)
        encoder.features.load_state_dict(landmarker.features.state_dict())
        basis = begin_tokens(encoder, self.cache, self.model, self.clips, net.config.token)
        train_tokens(encoder, basis, Faces(self.cache, self.model, self.clips, recipe.seed), recipe, self.precision)
        encoder.requires_grad_(False)
        self.run.mean.module.load_state_dict(net.state_dict())

    def precision(self) -> Any:
        """Return the context in which the networks run."""
        device = self.fabric.device.type
        return torch.autocast(device, torch.bfloat16) if self.recipe.low_precision else nullcontext()

    def advance(self, couples: Couple) -> dict[str, Tensor]:
        """Take a step of the network, and of the discriminator once it has joined."""
        batch = to_batch(couples)
        net, heads = cast("ImfCompact", self.run.net), cast("Heads", self.run.heads)
        with self.precision():
            token = net.token(batch.frames)
            motion = net.motion_decoder(token)
            losses = surface_losses(heads(motion), batch)
            if self.run.images < self.recipe.place_images:
                placed = net.placed(net.alignments[-1].key(swapped(motion.keys[-1])), swapped(motion.fine), motion)  # type: ignore[operator]
                losses |= place_losses(placed, batch)
                window = None
            else:
                other = Motion(tuple(swapped(part) for part in motion.keys), swapped(motion.fine))
                made = net.made(net.reference(swapped(batch.frames), swapped(token), other), motion)
                losses |= place_losses(made.placed, batch) | picture_losses(made, batch, self.landmarker)
                window = window_of(made.picture, made.carried, batch) if self._adversarial() else None
            if window is not None:
                losses |= self._deceiving(window)
        step(self.run.optimiser, weighted(losses), nn.ModuleList([net, heads]), self.fabric, 1.0)
        if window is not None:
            losses["discriminator"] = self._discriminate(window)
        return losses

    def _adversarial(self) -> bool:
        return self.recipe.adversarial(self.run.images)

    def _deceiving(self, window: Window) -> dict[str, Tensor]:
        discriminator = self.run.discriminator.requires_grad_(False)
        score, fake = discriminator(window.made, window.prior)
        with torch.no_grad():
            _, real = discriminator(window.truth, window.prior)
        discriminator.requires_grad_(True)
        return {"adversarial": -weighted_mean(score, window.weight), "matching": matching(fake, real)}

    def _discriminate(self, window: Window) -> Tensor:
        with self.precision():
            fake, _ = self.run.discriminator(window.made.detach(), window.prior)
            real, _ = self.run.discriminator(window.truth, window.prior)
        real, fake = nn.functional.relu(1 - real.float()), nn.functional.relu(1 + fake.float())
        loss = weighted_mean(real, window.weight) + weighted_mean(fake, window.weight)
        step(self.run.discriminator_optimiser, loss, self.run.discriminator, self.fabric, 1.0)
        return loss

    def evaluate(self, mean: nn.Module) -> tuple[dict[str, float], Picture]:
        """Evaluate the averaged network on the held-out people."""
        with self.precision():
            return self.validation(cast("ImfCompact", mean))


def divided(cache: FrameCache, held_out: int) -> tuple[list[int], list[int]]:
    """Return the clips to train on, and one clip of each of `held_out` people, who are evenly spread."""
    people = sorted({*cache.persons})
    if not 0 < held_out < len(people):
        return list(range(len(cache.names))), list(range(min(1, len(cache.names))))
    kept = {people[int((index + 0.5) * len(people) / held_out)] for index in range(held_out)}
    clips = [index for index, person in enumerate(cache.persons) if person not in kept]
    return clips, [cache.persons.index(person) for person in sorted(kept)]


def repeated(couples: Iterable[Couple], steps: int) -> Iterator[Couple]:
    """Yield each batch `steps` times: the experiment of a target that does not change."""
    for batch in couples:
        for _ in range(steps):
            yield batch


def window_of(made: Tensor, carried: Tensor, batch: Batch) -> Window:
    """Cut a random window of half the side out of all pictures, for the discriminator."""
    side = made.shape[-1]
    top, left = (int(place) for place in torch.randint(side // 8, side * 3 // 8 + 1, (2,)))
    whole = (made, batch.frames, carried.detach().float(), attention(batch.points, side))
    made, truth, prior, worth = (part[..., top : top + side // 2, left : left + side // 2] for part in whole)
    return Window(made, truth, prior, worth, torch.zeros(len(made), dtype=torch.bool))
