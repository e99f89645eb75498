"""The map psi from coefficients to tokens (Gao et al., CVPR 2024, token editing): it edits a token.

psi(t | h) is the token of the person of t after the change h of expression, angles and translation. It lies in the file
of the network whose tokens it knows, under names that begin with PREFIX.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from torch import Tensor, nn

from facepipe.checkpoint import check_state
from facepipe.errors import WeightsError
from facepipe.face.model import EXPRESSION_COUNT
from facepipe.spaces.imf_tokens.coefficients import EDIT_SIZE, TOKEN_SIZE

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "psi."
"""Before the names of its tensors in the file of a network."""


@dataclass(frozen=True)
class PsiConfig:
    """Sizes of the map, which follow from the shapes of its tensors. The paper does not print them."""

    token_size: int = TOKEN_SIZE
    edit_size: int = EDIT_SIZE
    width: int = 256


class Psi(nn.Module):
    """Two encoders, of the token and of the edit, and a decoder of the change of the token.

    The change by an edit is the decoder's value less that without an edit, so that an edit of zero changes no bit.
    """

    token_mean: Tensor
    token_scale: Tensor
    edit_scale: Tensor
    reach: Tensor

    def __init__(self, config: PsiConfig | None = None) -> None:
        super().__init__()
        self.config = config or PsiConfig()
        token, edit, width = self.config.token_size, self.config.edit_size, self.config.width
        self.token_encoder = _layers(token, width, width)
        self.edit_encoder = _layers(edit, width, width)
        self.decoder = _layers(2 * width, width, token)
        # Mean and standard deviation of tokens, and standard deviation of edits, of the training; and the length of its
        # largest changes of expression, in standard deviations.
        self.register_buffer("token_mean", torch.zeros(token))
        self.register_buffer("token_scale", torch.ones(token))
        self.register_buffer("edit_scale", torch.ones(edit))
        self.register_buffer("reach", torch.tensor([math.inf]))

    def forward(self, tokens: Tensor, edits: Tensor) -> Tensor:
        """Return tokens (B, 32) after edits (B, 70), both as in `TokenCoefficients`."""
        own = self.token_encoder((tokens - self.token_mean) / self.token_scale)
        edited, unedited = (
            self.decoder(torch.cat([own, self.edit_encoder(one)], 1))
            for one in (self.standardised(edits), torch.zeros_like(edits))
        )
        moved: Tensor = tokens + self.token_scale * (edited - unedited)
        return moved

    def standardised(self, edits: Tensor) -> Tensor:
        """Return edits (B, 70) in standard deviations. Expressions beyond the training are shortened to its reach."""
        scaled = edits / self.edit_scale
        expression, place = scaled[:, :EXPRESSION_COUNT], scaled[:, EXPRESSION_COUNT:]
        length = expression.norm(dim=1, keepdim=True)
        return torch.cat([expression * (self.reach / length.clamp(min=1e-6)).clamp(max=1), place], 1)


def _layers(given: int, width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(given, width), nn.ReLU(), nn.Linear(width, out))


def load_psi(path: Path) -> Psi | None:
    """Read the map from the file of a network; None if it has none. Raises WeightsError if it is damaged."""
    with safe_open(path, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith(PREFIX)]  # noqa: SIM118 - no iterator of its own
        state = {name.removeprefix(PREFIX): file.get_tensor(name).float() for name in names}
    if not state:
        return None
    try:
        sizes = (state[name].shape[0] for name in ("token_mean", "edit_scale", "token_encoder.0.bias"))
        psi = Psi(PsiConfig(*sizes))
    except (KeyError, IndexError) as error:
        raise WeightsError(f"{path} has a map from coefficients that lacks {error}. Train the map again.") from error
    check_state(state, psi, path)
    psi.load_state_dict(state)
    return psi.eval().requires_grad_(False)


def tensors_of(psi: Psi) -> Mapping[str, Tensor]:
    """Return the map's tensors, by their names in the file of a network: layers in float16, scales in float32."""
    layers = {name for name, _ in psi.named_parameters()}
    return {
        PREFIX + name: tensor.detach().to(torch.float16 if name in layers else torch.float32).contiguous()
        for name, tensor in psi.state_dict().items()
    }
