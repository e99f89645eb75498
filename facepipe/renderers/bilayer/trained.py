"""Checkpoints of `facepipe train bilayer --network published`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from facepipe.checkpoint import check_state, header_of
from facepipe.errors import WeightsError
from facepipe.renderers.bilayer.blocks import without_spectral_norm
from facepipe.renderers.bilayer.config import BilayerConfig
from facepipe.renderers.bilayer.published import KIND, Bilayer
from facepipe.weights.conversion import Converted, content_of

if TYPE_CHECKING:
    from pathlib import Path

FILE = "checkpoint.pt"
# Prefix of names in the state of an averaged network, which has a counter beside it.
AVERAGED = "module."


@dataclass(frozen=True)
class TrainedRun:
    """The content of a checkpoint."""

    path: Path
    config: BilayerConfig
    stage: str
    """"base" or "enhancer", the networks that the run trains."""
    images: int
    """Images that were trained on."""
    measured_images: int
    """Images after which `ready` was made; 0 if never."""
    state: Mapping[str, Any]
    """States by part of the run."""

    @property
    def ready(self) -> dict[str, Tensor]:
        """Return the networks with standing statistics of their batch norms. Raises WeightsError if there are none."""
        if not self.measured_images:
            raise WeightsError(
                f"{self.path} has no standing statistics of batch norms yet, without which its networks are not "
                "usable: run the same training again with --images 1, which measures them and ends"
            )
        return {
            name.removeprefix(AVERAGED): value
            for name, value in self.state["mean"].items()
            if name.startswith(AVERAGED)
        }


def read_trained(path: Path) -> TrainedRun:
    """Read a checkpoint, without running code. Raises WeightsError for other files."""
    content = content_of(path)
    found = content if isinstance(content, dict) and content.get("kind") == KIND else None
    try:
        if found is None:
            raise TypeError
        config = BilayerConfig(**found["config"])
        numbers = (int(found["images"]), int(found["measured_images"]))
        return TrainedRun(path, config, str(found["stage"]), *numbers, found)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path} is not a checkpoint of `facepipe train bilayer --network published`, give one"
        ) from error


def run_file(path: Path) -> Path | None:
    """Return the checkpoint that a path names: itself, or that in the folder of a run; None if there is none."""
    file = path if path.suffix == ".pt" else path / FILE
    return file if file.is_file() else None


def read_run(path: Path) -> Converted:
    """Read the networks of a checkpoint for use: spectral norms are folded into the weights."""
    run = read_trained(path)
    net = Bilayer(run.config).eval()
    check_state(run.ready, net, path)
    net.load_state_dict(run.ready)
    notes = []
    if run.measured_images != run.images:
        notes.append(
            f"{path} is of an unfinished run: its networks are those after {run.measured_images} images of "
            f"{run.images}, when standing statistics were last measured"
        )
    if not run.config.has_enhancer:
        notes.append(f"{path} has no texture enhancer (--stage enhancer trains one): textures are not enhanced")
    header = header_of(KIND, replace(run.config, spectral_norm=False))
    return Converted(without_spectral_norm(net).state_dict(), header, (path,), tuple(notes), own=True)
