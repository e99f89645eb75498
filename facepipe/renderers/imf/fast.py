"""The published networks for use on a CPU: one frame at a time, with all that does not depend on it computed before."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from facepipe.renderers.imf.fused_alignment import FusedAlignment
from facepipe.renderers.imf.fused_frames import FusedFrameDecoder
from facepipe.renderers.imf.fused_tokens import FusedTokenDecoder, FusedTokenEncoder
from facepipe.renderers.imf.net import TOKEN, Imf, named, restored
from facepipe.renderers.imf.network import ImfNetwork


class FastImf(nn.Module):
    """An `ImfNetwork` with the weights of an `Imf`, in fused layers. Prepared tensors are those of `Imf.prepare`."""

    def __init__(self, net: Imf, dtype: torch.dtype = torch.float32) -> None:
        """Take a network in eval mode. What is computed for each frame has `dtype` where that is faster."""
        super().__init__()
        if not supports(net):
            raise ValueError("only networks with batch norms and full attention at every level have a fast form")
        self.config = net.config
        self.dense_encoder, self.alignment = net.dense_encoder, net.alignment
        self.token_encoder = FusedTokenEncoder(net.token_encoder, dtype)
        self.token_decoder = FusedTokenDecoder(net.token_decoder, dtype)
        self.aligner = FusedAlignment(net.alignment, dtype)
        self.frame_decoder = FusedFrameDecoder(net.frame_decoder, dtype)
        self.requires_grad_(False)

    @property
    def token_size(self) -> int:
        """Numbers per token."""
        return self.config.token_size

    @property
    def side_pixels(self) -> int:
        """Width and height of the pictures."""
        return self.config.side_pixels

    @torch.inference_mode()
    def token(self, pictures: Tensor) -> Tensor:
        """Implement `ImfNetwork.token`."""
        return torch.cat([self.token_encoder(one) for one in torch.split(pictures, 1)])

    @torch.inference_mode()
    def prepare(self, source: Tensor) -> dict[str, Tensor]:
        """Implement `ImfNetwork.prepare`."""
        token = self.token(source)
        motion = [maps.float() for maps in self.token_decoder(token)]
        return {TOKEN: token, **named(self.alignment.source(self.dense_encoder(source), motion))}

    @torch.inference_mode()
    def render(self, prepared: Mapping[str, Tensor], tokens: Tensor) -> Tensor:
        """Implement `ImfNetwork.render`. Each frame is computed by itself, so batches do not matter."""
        sources = restored(prepared, len(self.config.level_sides))

        def drawn(token: Tensor) -> Tensor:
            pictures: Tensor = self.frame_decoder(self.aligner(self.token_decoder(token), sources))
            return pictures

        return torch.cat([drawn(token) for token in torch.split(tokens, 1)])


def supports(net: Imf) -> bool:
    """Return whether a network has a fast form."""
    return net.config.norm == "batch" and net.config.first_level == "full"


def fastest(net: Imf, device: torch.device, dtype: torch.dtype) -> ImfNetwork:
    """Return a network in eval mode on a device, in the form that is fastest there."""
    net = net.eval().requires_grad_(False)
    if device.type == "cpu" and supports(net):
        return FastImf(net, dtype)
    return net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
