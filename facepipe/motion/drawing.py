"""Drawing what a face might do: expressions and poses as real people have them, from a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from facepipe.errors import WeightsError
from facepipe.motion.sliders import Draw, Edit
from facepipe.spaces.coefficients import Coefficients

Floats = NDArray[np.float64]
KIND, WEIGHT = "expression-vae", "expression-vae"
EXPRESSION_COUNT, LAYERS = 64, (0, 2, 4)


@dataclass(frozen=True)
class ExpressionVae:
    """The decoder, in NumPy: it is so small that torch would only have to be waited for."""

    layers: tuple[tuple[Floats, Floats], ...]
    """Matrix (out, in) and shift (out,) of each; tanh between them."""
    mean: Floats
    """(67,) of expression and angles in radians."""
    scale: Floats
    """(67,) their standard deviations."""
    latent_mean: Floats
    """(L,) of the latents of real frames."""
    latent_root: Floats
    """(L, L), lower triangle: times its transpose it is their covariance."""
    rest_root: Floats
    """(67, 67), likewise of what the decoder leaves unsaid."""

    def decode(self, latents: Floats) -> tuple[Floats, Floats]:
        """Return (N, 64) expressions and (N, 3) angles in radians of (N, L) latents."""
        rows = latents
        for number, (matrix, shift) in enumerate(self.layers):
            rows = rows @ matrix.T + shift
            rows = np.tanh(rows) if number + 1 < len(self.layers) else rows
        rows = self.mean + self.scale * rows
        return rows[:, :EXPRESSION_COUNT], rows[:, EXPRESSION_COUNT:]

    def draw(self, seed: int, numbers: range) -> tuple[Floats, Floats]:
        """Return an expression (N, 64) and angles (N, 3) in radians for each of the numbers."""
        # One by one: the last bits of a product depend on how many rows it has.
        rows = np.stack([self._draw(np.random.default_rng([seed, number])) for number in numbers])
        return rows[:, :EXPRESSION_COUNT], rows[:, EXPRESSION_COUNT:]

    def _draw(self, random: np.random.Generator) -> Floats:
        latent = self.latent_mean + self.latent_root @ random.standard_normal(len(self.latent_mean))
        decoded = np.concatenate(self.decode(latent[None]), axis=1)[0]
        return np.asarray(decoded + self.rest_root @ random.standard_normal(len(self.mean)))


def load_expression_vae(path: Path) -> ExpressionVae:
    """Read the decoder of a weight. Raises WeightsError for what is none."""
    try:
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("kind") != KIND:
                raise WeightsError(f"{path} holds no {KIND}. Install facepipe again, for this weight ships with it.")
            tensors = {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}  # noqa: SIM118
        return ExpressionVae(
            layers=tuple((tensors[f"decoder.{one}.weight"], tensors[f"decoder.{one}.bias"]) for one in LAYERS),
            **{name: tensors[name] for name in ("mean", "scale", "latent_mean", "latent_root", "rest_root")},
        )
    except (SafetensorError, OSError, KeyError) as error:
        raise WeightsError(f"{path} is no readable {KIND} ({error}). Fetch or install it again.") from error


def drawn(source: Coefficients, draw: Draw, vae: ExpressionVae) -> Coefficients:
    """Return the source's first row with each expression and pose that is drawn, in its own place and size."""
    expression, angles = vae.draw(draw.seed, range(draw.first, draw.first + draw.count))
    rows = source.repeated(draw.count)
    return rows.with_motion(expression, angles, rows.translation)


def travelled(source: Coefficients, stops: Coefficients, edit: Edit) -> Coefficients:
    """Return a clip of the edit's frames that begins with the source's first row and goes on to each of the stops."""
    count = edit.frames
    place = np.linspace(0, len(stops), count)
    # Eased, so that a face comes to rest at each stop.
    share = place - np.floor(place)
    place = np.floor(place) + share * share * (3 - 2 * share)
    after = np.minimum(np.ceil(place).astype(int), len(stops))
    before, part = np.maximum(after - 1, 0), np.asarray(place - np.maximum(after - 1, 0))[:, None]
    moved: dict[str, Any] = {}
    for name in source.space.motion:
        rows = np.concatenate([getattr(source, name)[:1], getattr(stops, name)])
        moved[name] = rows[before] + part * (rows[after] - rows[before])
    return replace(source.repeated(count), fps=Fraction(edit.fps or "25"), **moved)
