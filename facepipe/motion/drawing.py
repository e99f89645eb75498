"""Random expressions and head poses with the distribution of real faces, sampled from a seed."""

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
    """The decoder in NumPy. It is small, and importing torch would take longer than running it."""

    layers: tuple[tuple[Floats, Floats], ...]
    """Matrix (out, in) and shift (out,) of each layer, with tanh between layers."""
    mean: Floats
    """(67,) mean of expression and angles in radians."""
    scale: Floats
    """(67,) standard deviations of expression and angles."""
    latent_mean: Floats
    """(L,) mean latent of real frames."""
    latent_root: Floats
    """(L, L) Cholesky factor (lower triangle) of the covariance of those latents."""
    rest_root: Floats
    """(67, 67) Cholesky factor of the covariance of the decoder's residual."""

    def decode(self, latents: Floats) -> tuple[Floats, Floats]:
        """Return (N, 64) expressions and (N, 3) angles in radians for (N, L) latents."""
        rows = latents
        for number, (matrix, shift) in enumerate(self.layers):
            rows = rows @ matrix.T + shift
            rows = np.tanh(rows) if number + 1 < len(self.layers) else rows
        rows = self.mean + self.scale * rows
        return rows[:, :EXPRESSION_COUNT], rows[:, EXPRESSION_COUNT:]

    def draw(self, seed: int, numbers: range) -> tuple[Floats, Floats]:
        """Return (N, 64) expressions and (N, 3) angles in radians, one row for each number.

        A row depends only on the seed and its number.
        """
        # One at a time: the rounding of a matrix product depends on its number of rows.
        rows = np.stack([self._draw(np.random.default_rng([seed, number])) for number in numbers])
        return rows[:, :EXPRESSION_COUNT], rows[:, EXPRESSION_COUNT:]

    def _draw(self, random: np.random.Generator) -> Floats:
        latent = self.latent_mean + self.latent_root @ random.standard_normal(len(self.latent_mean))
        decoded = np.concatenate(self.decode(latent[None]), axis=1)[0]
        return np.asarray(decoded + self.rest_root @ random.standard_normal(len(self.mean)))


def load_expression_vae(path: Path) -> ExpressionVae:
    """Read the decoder from a weight file. Raises WeightsError for any other file."""
    try:
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("kind") != KIND:
                raise WeightsError(f"{path} is not an {KIND} file. It ships with facepipe; install facepipe again.")
            tensors = {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}  # noqa: SIM118
        return ExpressionVae(
            layers=tuple((tensors[f"decoder.{one}.weight"], tensors[f"decoder.{one}.bias"]) for one in LAYERS),
            **{name: tensors[name] for name in ("mean", "scale", "latent_mean", "latent_root", "rest_root")},
        )
    except (SafetensorError, OSError, KeyError) as error:
        raise WeightsError(f"{path} is not a readable {KIND} file ({error}). Fetch or install it again.") from error


def with_random_faces(source: Coefficients, draw: Draw, vae: ExpressionVae) -> Coefficients:
    """Return the source's first row repeated, with sampled expressions and angles; its translation stays."""
    expression, angles = vae.draw(draw.seed, range(draw.first, draw.first + draw.count))
    rows = source.repeated(draw.count)
    return rows.with_motion(expression, angles, rows.translation)


def interpolated_through(source: Coefficients, stops: Coefficients, edit: Edit) -> Coefficients:
    """Return a clip of `edit.frames` frames that starts at the source's first row and passes through each stop.

    The last frame is the last stop. All arrays of motion are interpolated.
    """
    count = edit.frames
    position = np.linspace(0, len(stops), count)
    # Smoothstep, so that the face comes to rest at each stop.
    fraction = position - np.floor(position)
    position = np.floor(position) + fraction * fraction * (3 - 2 * fraction)
    after = np.minimum(np.ceil(position).astype(int), len(stops))
    before, weight = np.maximum(after - 1, 0), np.asarray(position - np.maximum(after - 1, 0))
    motion: dict[str, Any] = {}
    for name in source.space.motion:
        rows = np.concatenate([getattr(source, name)[:1], getattr(stops, name)])
        share = weight.reshape(-1, *[1] * (rows.ndim - 1))
        motion[name] = rows[before] + share * (rows[after] - rows[before])
    return replace(source.repeated(count), fps=Fraction(edit.fps or "25"), **motion)
