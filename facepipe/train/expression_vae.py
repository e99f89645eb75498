"""Training of the network from which `facepipe edit --random` samples expressions and poses.

    facepipe train expression-vae --data DATA --labels LABELS --out FILE

The face model is fitted to the reference points of every clip and portrait; a sample is 64 expression coefficients and
three angles of one frame. The error is the distance of the points that the coefficients move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facepipe import weights
from facepipe.dataset.split import Item, split_items
from facepipe.face.fitting import fit
from facepipe.face.model import FaceModel, load_face_model
from facepipe.face.pose import angles_of
from facepipe.models.expression_vae import ExpressionVae, ExpressionVaeConfig
from facepipe.motion.drawing import EXPRESSION_COUNT, KIND, load_expression_vae
from facepipe.motion.drawing import ExpressionVae as Decoder
from facepipe.train.command import parser_of
from facepipe.weights.saving import save_tensors

Floats = NDArray[np.float64]
FRAMES_PER_CLIP = 64
# Noise of the angles in the likelihood, in standard deviations.
ANGLE_NOISE = 0.1
# Samples are compared with real frames without these outermost shares.
TAIL = 0.005
DRAWS = 2000


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of the training."""

    batch: int = 256
    steps: int = 6000
    peak_rate: float = 2e-3
    jitter: float = 0.05
    """Standard deviation of noise on the standardised rows, against overfitting."""
    seed: int = 1


def read_rows(items: list[Item], labels: Path, model: FaceModel) -> Floats:
    """Return (N, 67) expressions and angles of frames spread evenly over each clip, and of photographs."""
    rows = []
    for item in items:
        if item.kind == "portrait-art":
            continue
        with np.load(labels / ("clips" if item.kind == "clip" else "portraits") / f"{item.path.stem}.npz") as label:
            points, valid = label["points"].astype(np.float64), label["valid"]
        if valid.any():
            fitted = fit(model, points, valid)
            there = np.flatnonzero(valid)
            chosen = there[np.unique(np.linspace(0, len(there) - 1, FRAMES_PER_CLIP).astype(int))]
            rows.append(np.concatenate([fitted.expression, angles_of(fitted.pose.rotation)], axis=1)[chosen])
    return np.concatenate(rows)


def visible(model: FaceModel) -> Floats:
    """Return the (64, 64) matrix that maps a difference of expressions to a vector as long as the points' movement.

    Points of lips and lids have more weight, as in a fit.
    """
    flat = (model.expression * np.sqrt(model.weights / model.weights.mean())[:, None]).reshape(
        len(model.expression), -1
    )
    return np.linalg.cholesky(flat @ flat.T / model.expression.shape[1])


def train(rows: Floats, model: FaceModel, recipe: Recipe) -> tuple[ExpressionVae, Floats, Floats]:
    """Train on (N, 67) rows; return the network, and the mean and standard deviation that standardise a row."""
    torch.manual_seed(recipe.seed)
    mean, scale = rows.mean(0), rows.std(0)
    data = torch.tensor((rows - mean) / scale, dtype=torch.float32)
    see = torch.tensor(scale[:EXPRESSION_COUNT, None] * visible(model), dtype=torch.float32)
    net = ExpressionVae(ExpressionVaeConfig(numbers=rows.shape[1]))
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.peak_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.peak_rate, recipe.steps)
    for step in range(recipe.steps):
        batch = data[torch.randint(len(data), (recipe.batch,))]
        loss = loss_of(net, batch + recipe.jitter * torch.randn_like(batch), batch, see)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if (step + 1) % 1000 == 0:
            print(f"step {step + 1} loss {float(loss.detach()):.2f}", flush=True)
    return net.eval(), mean, scale


def loss_of(net: ExpressionVae, given: Tensor, wanted: Tensor, see: Tensor) -> Tensor:
    """Return the negative evidence bound.

    The noise of the expression equals its error, so that no weight between error and prior has to be chosen (Rybkin et
    al. 2021). For the three angles alone the optimum would use no latent at all, so their noise is fixed.
    """
    decoded, encoded = net(given)
    difference = decoded - wanted
    error = (difference[:, :EXPRESSION_COUNT] @ see).pow(2).mean()
    turned = difference[:, EXPRESSION_COUNT:].pow(2).sum(1).mean()
    likelihood = 0.5 * (EXPRESSION_COUNT * error.log() + turned / ANGLE_NOISE**2)
    distance = 0.5 * (encoded.mean.pow(2) + encoded.log_variance.exp() - 1 - encoded.log_variance).sum(1).mean()
    total: Tensor = likelihood + distance
    return total


@torch.no_grad()
def save(net: ExpressionVae, mean: Floats, scale: Floats, rows: Floats, out: Path) -> None:
    """Write the weight: network, normalisation of a row, and Gaussians of latents and residuals of real rows."""
    encoded = net.encode(torch.tensor((rows - mean) / scale, dtype=torch.float32))
    latents = encoded.mean.double().numpy()
    left = rows - (mean + scale * net.decoder(encoded.mean).double().numpy())
    spread = np.cov(latents.T) + np.diag(encoded.log_variance.double().exp().mean(0).numpy())
    arrays = {
        "mean": mean,
        "scale": scale,
        "latent_mean": latents.mean(0),
        "latent_root": np.linalg.cholesky(spread),
        "rest_root": np.linalg.cholesky(np.cov(left.T) + 1e-9 * np.eye(len(mean))),
    }
    tensors = {name: torch.tensor(array, dtype=torch.float32) for name, array in arrays.items()}
    tensors |= {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    config = {name: str(value) for name, value in asdict(net.config).items()}
    save_tensors(tensors, out, {"kind": KIND, "basis": "facepipe", **config})


@torch.no_grad()
def metrics(
    net: ExpressionVae, decoder: Decoder, mean: Floats, scale: Floats, unseen: Floats, model: FaceModel
) -> dict[str, float]:
    """Return reconstruction errors of unseen people's (N, 67) rows, and statistics of samples relative to them."""
    latents = net.encode(torch.tensor((unseen - mean) / scale, dtype=torch.float32)).mean.double().numpy()
    expression, angles = decoder.decode(latents)
    see, faces = visible(model), slice(0, EXPRESSION_COUNT)
    error, movement = (lengths(one @ see) for one in (unseen[:, faces] - expression, unseen[:, faces] - mean[faces]))
    turned = np.degrees(np.abs(unseen[:, EXPRESSION_COUNT:] - angles).mean())
    draws = np.concatenate(decoder.draw(0, range(DRAWS)), axis=1)
    low, high = np.quantile(unseen, [TAIL, 1 - TAIL], axis=0)
    inside = ((draws >= low) & (draws <= high)).mean()
    reach = [np.quantile(lengths_of((one[:, faces] - mean[faces]) @ see), 0.99) for one in (draws, unseen)]
    return {
        "reconstruction error, % of the outer-eye distance": 100 * error,
        "movement of expressions, % of the outer-eye distance": 100 * movement,
        "reconstruction error of the angles, degrees": float(turned),
        f"numbers of draws within the middle {100 * (1 - 2 * TAIL):.0f} % of real ones, %": 100 * float(inside),
        "spread of draws over that of real ones, median": float(np.median(draws.std(0) / unseen.std(0))),
        "movement of the farthest hundredth of draws over that of real ones": float(reach[0] / reach[1]),
    }


def lengths_of(rows: Floats) -> Floats:
    """Return the length of each row."""
    return np.asarray(np.linalg.norm(rows, axis=1))


def lengths(rows: Floats) -> float:
    """Return the root mean square of the lengths."""
    return float(np.sqrt(np.mean(lengths_of(rows) ** 2)))


def build(data: Path, labels: Path, out: Path, recipe: Recipe | None = None) -> None:
    """Train on the people of the training split, write OUT, and print metrics of the others."""
    model = load_face_model(weights.find("face-model").path)
    seen, unseen = (read_rows(items, labels, model) for items in split_items(data))
    print(f"{len(seen)} training frames, {len(unseen)} of unseen people", flush=True)
    net, mean, scale = train(seen, model, recipe or Recipe())
    save(net, mean, scale, seen, out)
    for name, value in metrics(net, load_expression_vae(out), mean, scale, unseen, model).items():
        print(f"unseen: {name}: {value:.2f}", flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line."""
    args = parser_of("expression-vae", __doc__, "data", "labels", "out").parse_args(argv)
    build(args.data, args.labels, args.out)


if __name__ == "__main__":
    main()
